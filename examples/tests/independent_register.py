"""Logs in over UDP with a digest that is computed here, from RFC 7616 alone, with hashlib.

Arguments: own address, server address, user, password, algorithm, qop. Exit code 0 when the server said 200.
"""
import hashlib
import re
import socket
import sys

HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
own, server, user, password, algorithm, qop = sys.argv[1:]
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind((own, 0))
link.settimeout(2)
link.connect((server, 5060))
uri = f"sip:{server}"
port = link.getsockname()[1]
BODY = "no session, only something to be covered\r\n"


def ask(cseq, credentials):
    """Sends a REGISTER until it is answered; gives status and headers."""
    lines = [
        f"REGISTER {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {own}:{port};branch=z9hG4bK{cseq}-{port};rport",
        "Max-Forwards: 70",
        f"From: <sip:{user}@{server}>;tag=py{port}",
        f"To: <sip:{user}@{server}>",
        f"Call-ID: independent-{port}-{algorithm}-{qop}",
        f"CSeq: {cseq} REGISTER",
        f"Contact: <sip:{user}@{own}:{port}>",
        "Expires: 600",
        "Content-Type: text/plain",
        f"Content-Length: {len(BODY)}",
    ]
    lines += [f"Authorization: {credentials}"] if credentials else []
    text = "\r\n".join(lines) + "\r\n\r\n" + BODY
    for _ in range(15):
        link.send(text.encode())
        try:
            answer = link.recv(65535).decode()
        except (socket.timeout, ConnectionRefusedError):
            continue
        if f"CSeq: {cseq} REGISTER" in answer:
            return int(answer.split(" ")[1]), answer
    sys.exit("the server does not answer")


status, answer = ask(1, None)
assert status == 401, answer
offers = re.findall(r"^WWW-Authenticate: Digest (.*?)\r$", answer, re.M)
offers = [dict((n, a or b) for n, a, b in re.findall(r'([a-z-]+)=(?:"([^"]*)"|([^,\s]+))', one)) for one in offers]
offer = next(one for one in offers if one["algorithm"] == algorithm)
assert qop in offer["qop"].split(","), offer


def digest(*parts):
    return hashlib.new(HASHES[algorithm], ":".join(parts).encode()).hexdigest()


covered = ["REGISTER", uri] + ([digest(BODY)] if qop == "auth-int" else [])
secret = digest(user, offer["realm"], password)
response = digest(secret, offer["nonce"], "00000001", "0a4f113b", qop, digest(*covered))
status, answer = ask(
    2,
    f'Digest username="{user}", realm="{offer["realm"]}", nonce="{offer["nonce"]}", uri="{uri}", '
    f'response="{response}", algorithm={algorithm}, qop={qop}, nc=00000001, cnonce="0a4f113b"',
)
print(status)
sys.exit(0 if status == 200 else 1)
