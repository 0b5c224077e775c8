"""An OpenID Connect provider on the loopback interface, with a certificate that it signed itself.

Keys and signatures are made by `rsa`; the certificate is put together here (RFC 5280), so that no other program is needed.
"""

import base64
import datetime
import hashlib
import http.server
import ipaddress
import json
import os
import ssl
import tempfile
import threading
import time

import rsa


def encoded(data):
    """Base64url without padding, of bytes, or of JSON."""
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def der(tag, *parts):
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 128 | len(length)]) + length + content


def integer(number):
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def certificate(public, private, days):
    """A self-signed certificate for 127.0.0.1, valid from yesterday for so many days."""
    sequence, setof = 0x30, 0x31
    algorithm = der(sequence, bytes.fromhex("06092a864886f70d01010b0500"))
    name = der(sequence, der(setof, der(sequence, bytes.fromhex("0603550403"), der(0x0C, b"provider"))))
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    times = [now, now + datetime.timedelta(days=days)]
    validity = der(sequence, *[der(0x17, time.strftime("%y%m%d%H%M%SZ").encode()) for time in times])
    key = der(sequence, integer(public.n), integer(public.e))
    info = der(sequence, der(sequence, bytes.fromhex("06092a864886f70d0101010500")), der(0x03, b"\0", key))
    address = der(0x87, ipaddress.ip_address("127.0.0.1").packed)
    names = der(sequence, bytes.fromhex("0603551d11"), der(0x04, der(sequence, address)))
    body = der(
        sequence, der(0xA0, integer(2)), integer(1), algorithm, name, validity, name, info, der(0xA3, der(sequence, names))
    )
    signature = rsa.sign(body, private, "SHA-256")
    return der(sequence, body, algorithm, der(0x03, b"\0", signature))


class Provider:
    """One provider. `keys` maps key ids to the pairs that it shows; change it to rotate."""

    def __init__(self, days=30):
        public, private = rsa.newkeys(2048, poolsize=max(1, os.cpu_count() or 1))
        self.pair = (public, private)
        self.keys = {"first": self.pair}
        self.asked = []
        self.redirect = None
        shown = certificate(public, private, days)
        self.thumbprint = hashlib.sha1(shown).hexdigest()
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                provider.asked.append(self.path)
                page = provider.page(self.path)
                self.send_response(302 if provider.redirect else 200 if page else 404)
                if provider.redirect:
                    self.send_header("Location", provider.redirect)
                body = json.dumps(page or {}).encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, "certificate"), os.path.join(folder, "key")]
            with open(files[0], "w") as file:
                file.write(ssl.DER_cert_to_PEM_cert(shown))
            with open(files[1], "wb") as file:
                file.write(private.save_pkcs1())
            context.load_cert_chain(*files)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.name = f"127.0.0.1:{self.http.server_address[1]}/realm"
        self.url = f"https://{self.name}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def page(self, path):
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/realm/keys":
            number = lambda value: encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
            return {"keys": [
                {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": number(public.n), "e": number(public.e)}
                for name, (public, _) in self.keys.items()
            ]}
        return None

    def claims(self, **other):
        now = int(time.time())
        claims = {"iss": self.url, "sub": "ann", "aud": "app", "iat": now, "exp": now + 300, **other}
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, header=None, pair=None, **other):
        """A token with these claims, signed with RS256 by the first key, or by the given pair."""
        signed = f"{encoded(header or {'alg': 'RS256', 'kid': 'first'})}.{encoded(self.claims(**other))}"
        signature = rsa.sign(signed.encode(), (pair or self.pair)[1], "SHA-256")
        return f"{signed}.{encoded(signature)}"

    def close(self):
        self.http.shutdown()
        self.http.server_close()
