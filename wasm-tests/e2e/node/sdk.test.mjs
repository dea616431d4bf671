// The official OpenAI SDK for Node against a running gateway, which test_node.py started.
// In: TOLLGATE_E2E, JSON {url, host, keys: {name: secret}}; `host` is the provider's authority where the gateway is told
// the provider by it, else null. Out: TAP.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';
import { Agent, buildConnector, fetch } from 'undici';

const { url, host, keys } = JSON.parse(process.env.TOLLGATE_E2E);
const gateway = new URL(url);
const messages = [{ role: 'user', content: 'How does a toll bridge know who has paid?' }];

// A mesh carries connections to the provider's own address to the gateway; so does this connector.
const connect = buildConnector({});
const towards = { hostname: gateway.hostname, host: gateway.host, port: gateway.port };
const dispatcher = new Agent({ connect: (options, done) => connect({ ...options, ...towards }, done) });

function client(key = 'everything', steering = undefined, options = {}) {
  return new OpenAI({
    apiKey: keys[key] ?? key,
    baseURL: `http://${host ?? gateway.host}/v1`,
    maxRetries: 0,
    timeout: 45_000,
    defaultHeaders: steering ? { 'x-simulate': steering } : {},
    fetch: (target, init) => fetch(target, { ...init, dispatcher }),
    ...options,
  });
}

test('a chat completion is answered', async () => {
  const answer = await client().chat.completions.create({ model: 'gpt-4o', messages });
  assert.ok(answer.choices[0].message.content);
  assert.ok(answer.usage.total_tokens > 0);
});

test('a stream without usage shows none', async () => {
  const stream = await client().chat.completions.create({ model: 'gpt-4o-mini', messages, stream: true });
  let text = '';
  for await (const chunk of stream) {
    assert.ok(chunk.choices.length, 'a chunk without choices is the one that carries the usage');
    assert.ok(chunk.usage == null);
    text += chunk.choices[0].delta.content ?? '';
  }
  assert.ok(text);
});

test('a stream with usage ends in it', async () => {
  const stream = await client().chat.completions.create({
    model: 'gpt-4o-mini', messages, stream: true, stream_options: { include_usage: true },
  });
  let last;
  for await (const chunk of stream) last = chunk;
  assert.ok(last.usage.total_tokens > 0);
});

test('an awkwardly cut stream is read whole', async () => {
  const pieces = [];
  for (const steering of ['text=unicode', 'text=unicode,chunks=bytes,crlf']) {
    const stream = await client('everything', steering).chat.completions.create({ model: 'gpt-4o', messages, stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0].delta.content ?? '';
    pieces.push(text);
  }
  assert.equal(pieces[0], pieces[1]);
});

test('a streamed tool call arrives whole', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
  const runner = client('everything', 'tool=weather').chat.completions.stream({ model: 'gpt-4o', messages, tools });
  const final = await runner.finalChatCompletion();
  const [call] = final.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'weather');
  assert.equal(typeof JSON.parse(call.function.arguments), 'object');
});

test('a response is answered and streamed', async () => {
  const answer = await client().responses.create({ model: 'gpt-4o', input: 'Say something about bridges.' });
  assert.ok(answer.output_text);
  const stream = await client().responses.create({ model: 'gpt-4o', input: 'Say something.', stream: true });
  let last;
  for await (const event of stream) last = event;
  assert.equal(last.type, 'response.completed');
});

test('embeddings are answered', async () => {
  const answer = await client().embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] });
  assert.equal(answer.data.length, 2);
  assert.ok(answer.data[0].embedding.length > 1);
});

test('models are those the key may use', async () => {
  const names = [];
  for await (const model of client('narrow').models.list()) names.push(model.id);
  // Where hosts choose the provider, those of this API alone.
  assert.ok(names.includes('gpt-4o-mini'), names.join());
  assert.ok(names.every((name) => ['gpt-4o-mini', 'claude-haiku-4-5'].includes(name)), names.join());
});

for (const [what, raised, make] of [
  ['a wrong key', OpenAI.AuthenticationError, () => client('tg-wrong').chat.completions.create({ model: 'gpt-4o', messages })],
  ['a disabled key', OpenAI.AuthenticationError, () => client('shut-off').chat.completions.create({ model: 'gpt-4o', messages })],
  ['a forbidden model', OpenAI.PermissionDeniedError, () => client('narrow').chat.completions.create({ model: 'gpt-4o', messages })],
  ['an unknown model', OpenAI.NotFoundError, () => client().chat.completions.create({ model: 'gpt-99', messages })],
  ['a missing model', OpenAI.BadRequestError, () => client().chat.completions.create({ messages })],
  ["a provider's 429", OpenAI.RateLimitError, () => client('everything', 'status=429').chat.completions.create({ model: 'gpt-4o', messages })],
  ["a provider's 500", OpenAI.InternalServerError, () => client('everything', 'status=500').chat.completions.create({ model: 'gpt-4o', messages })],
]) {
  test(`${what} raises ${raised.name}`, async () => {
    await assert.rejects(make, (error) => {
      assert.ok(error instanceof raised, `${error?.constructor?.name}: ${error?.message}`);
      assert.ok(error.headers.get('x-request-id'));
      return true;
    });
  });
}

test('a stream may be left', async () => {
  const steering = 'tokens=2000,rate=100';
  const stream = await client('everything', steering).chat.completions.create({ model: 'gpt-4o', messages, stream: true });
  let seen = 0;
  for await (const chunk of stream) {
    assert.ok(chunk.choices.length);
    seen += 1;
    if (seen === 5) break;
  }
  assert.equal(seen, 5);
});

test('the SDK retries a rate limit by itself', async () => {
  const impatient = client('everything', 'status=429,retry_after=0', { maxRetries: 1 });
  await assert.rejects(impatient.chat.completions.create({ model: 'gpt-4o', messages }), OpenAI.RateLimitError);
});
