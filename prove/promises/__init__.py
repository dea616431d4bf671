"""The promises. Each module has its sentence as `PROMISE`, and `attempt(world, found)`, which tries to break it."""
