"""A real SMTP server (aiosmtpd) that tells on stdout what it is sent, one JSON object a line.

usage: mail_server.py starttls|tls|none CERTIFICATE KEY

Without a certificate it offers no TLS. The user `wharf` may log in with the password `hush-mail`, where the
connection is private; with TLS, nobody else may send.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def content(message, kind):
    part = message.get_body([kind])
    return part and part.get_content().replace("\r\n", "\n")


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "nobody":
            return "550 5.1.1 no such user here"
        if name == "later":
            return "451 4.7.1 greylisted, try again later"
        if name == "slow":
            await asyncio.sleep(3600)
        if name == "echo":
            return "550 5.7.1 refused: hush-mail " + "AHdoYXJmAGh1c2gtbWFpbA=="
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        told = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "private": session.ssl is not None,
            "user": session.auth_data,
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": content(message, "plain"),
            "html": content(message, "html"),
        }
        print(json.dumps(told), flush=True)
        return "250 2.0.0 queued as 12AB"


def authenticate(server, session, envelope, mechanism, data):
    if isinstance(data, LoginPassword) and (data.login, data.password) == (b"wharf", b"hush-mail"):
        return AuthResult(success=True, auth_data="wharf")
    return AuthResult(success=False, handled=False)


async def main(mode, certificate=None, key=None):
    context = None
    if mode != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
    private = mode != "none"

    def session():
        return SMTP(
            Handler(),
            hostname="mail.example.org",
            tls_context=context if mode == "starttls" else None,
            require_starttls=mode == "starttls",
            auth_required=private,
            # With TLS from the first byte the library does not see that it is there.
            auth_require_tls=mode != "tls",
            authenticator=authenticate,
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(session, "127.0.0.1", 0, ssl=context if mode == "tls" else None)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


asyncio.run(main(*sys.argv[1:]))
