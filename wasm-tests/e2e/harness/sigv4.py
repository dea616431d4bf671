"""AWS' view of a signed request. In: what was received, and the secret key. Out: whether the signature is right.

Source: AWS Identity and Access Management, "Create a signed AWS API request" (Signature Version 4).
"""

import hashlib
import hmac
import re
from urllib.parse import quote

from .recorder import Request

FORM = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})")


def scope(heard: Request) -> tuple[str, str, str]:
    """Whose key it is, the region and the service."""
    key, _, region, service, _ = FORM.fullmatch(heard.headers["authorization"])[1].split("/")
    return key, region, service


def is_signed(heard: Request, secret_key: str) -> bool:
    """Whether the signature is over this very request, its body included."""
    credential, names, signature = FORM.fullmatch(heard.headers["authorization"]).groups()
    _, *parts = credential.split("/")
    path, _, query = heard.path.partition("?")
    payload = hashlib.sha256(heard.body).hexdigest()
    headers = [f"{name}:{' '.join(heard.headers[name].split())}" for name in names.split(";")]
    request = ["POST", quote(path, safe="/-_.~"), "&".join(sorted(query.split("&"))), *headers, "", names, payload]
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", heard.headers["x-amz-date"], "/".join(parts), digest])
    key = f"AWS4{secret_key}".encode()
    for part in [*parts, text]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex() == signature and "host" in names.split(";") and heard.headers["x-amz-content-sha256"] == payload
