"""A digest client written from RFC 7616 alone, with hashlib: reads a challenge, writes credentials.

Input: one JSON object a line with the header value of the challenge, user, password, method, uri, body, nonce count.
Output: one line with the header value of the credentials.
"""
import hashlib
import json
import re
import sys

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def fields(value):
    scheme, rest = value.split(" ", 1)
    assert scheme == "Digest", scheme
    pairs = re.findall(r'([a-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s]+))', rest)
    return {name: re.sub(r"\\(.)", r"\1", quoted) or plain for name, quoted, plain in pairs}


def credentials(asked):
    challenge = fields(asked["challenge"])
    algorithm = challenge.get("algorithm", "MD5")
    name = HASHES[algorithm.replace("-sess", "")]

    def digest(*parts):
        octets = b":".join(part if isinstance(part, bytes) else part.encode() for part in parts)
        return hashlib.new(name, octets).hexdigest()

    nonce, realm, qop = challenge["nonce"], challenge["realm"], asked["qop"]
    assert qop in challenge["qop"].split(","), challenge["qop"]
    cnonce, count = "f2/wE4q74E6z", "%08x" % asked["count"]
    secret = digest(asked["user"], realm, asked["password"])
    if algorithm.endswith("-sess"):
        secret = digest(secret, nonce, cnonce)
    covered = [asked["method"], asked["uri"]]
    if qop == "auth-int":
        covered.append(digest(asked["body"].encode()))
    response = digest(secret, nonce, count, cnonce, qop, digest(*covered))
    escape = lambda text: text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'Digest username="{escape(asked["user"])}", realm="{escape(realm)}", nonce="{nonce}", uri="{asked["uri"]}", '
        f'response="{response}", algorithm={algorithm}, cnonce="{cnonce}", qop={qop}, nc={count}'
    )


for line in sys.stdin:
    print(credentials(json.loads(line)), flush=True)
