"""What makes components secure: pieces of their configuration, as text; each is empty or open without a secured run."""

from pathlib import Path
from typing import Final

from local.layout import Layout
from local.secure.parts import Secrets
from local.secure.state import is_secured, read_secrets
from signal_pipeline.broker.access import ADMINISTRATOR, CONNECT
from signal_pipeline.secured_state import secured_folder

__all__ = ["OPEN_BROKER", "broker_protocol", "broker_security", "connect_security", "redis_listener"]

OPEN_BROKER: Final = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"


def broker_protocol(layout: Layout) -> str:
    """Return the name of the broker's listener."""
    return "SASL_SSL" if is_secured(layout) else "PLAINTEXT"


def broker_security(layout: Layout) -> str:
    """Return the broker's lines: who may connect, and that nobody may do what no right says.

    Clients prove a password; the controller, which only the broker itself calls, takes the broker's certificate.
    """
    if not is_secured(layout):
        return OPEN_BROKER
    folder, secrets = secured_folder(layout.state), read_secrets(layout)
    return f"""\
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SSL
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={_login(ADMINISTRATOR, secrets)}
listener.name.controller.ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={folder / "kafka-store.pem"}
{_trust(folder)}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{ADMINISTRATOR};User:CN=kafka"""


def connect_security(layout: Layout) -> str:
    """Return Connect's lines: how it and its connector reach the broker, and who reaches it."""
    if not is_secured(layout):
        return ""
    folder, secrets = secured_folder(layout.state), read_secrets(layout)
    client = [
        "security.protocol=SASL_SSL",
        "sasl.mechanism=SCRAM-SHA-512",
        f"sasl.jaas.config={_login(CONNECT, secrets)}",
        *_trust(folder).splitlines(),
    ]
    lines = [f"{prefix}{line}" for prefix in ("", "producer.", "consumer.", "admin.") for line in client]
    lines += [f"listeners.https.{line}" for line in _own_store(folder, secrets)]
    # A connector names the secrets of this one file, which Connect reads and its API never shows.
    lines += [
        "config.providers=file",
        "config.providers.file.class=org.apache.kafka.common.config.provider.FileConfigProvider",
        f"config.providers.file.param.allowed.paths={folder / 'connector.properties'}",
    ]
    return "\n" + "\n".join(lines) + "\n"


def redis_listener(port: int, layout: Layout) -> str:
    """Return Redis' lines: its port, which speaks TLS only."""
    if not is_secured(layout):
        return f"port {port}"
    folder = secured_folder(layout.state)
    return f"""\
port 0
tls-port {port}
tls-cert-file "{folder / "server.pem"}"
tls-key-file "{folder / "server-key.pem"}"
tls-ca-cert-file "{folder / "ca.pem"}"
tls-auth-clients no"""


def _own_store(folder: Path, secrets: Secrets) -> list[str]:
    """Return what Connect serves by, and that its API, which can do everything, demands a certificate of ours."""
    return [
        "ssl.keystore.type=PKCS12",
        f"ssl.keystore.location={folder / 'connect.p12'}",
        f"ssl.keystore.password={secrets.keystore}",
        f"ssl.key.password={secrets.keystore}",
        "ssl.truststore.type=PKCS12",
        f"ssl.truststore.location={folder / 'trust.p12'}",
        f"ssl.truststore.password={secrets.keystore}",
        "ssl.client.auth=required",
    ]


def _trust(folder: Path) -> str:
    return f"ssl.truststore.type=PEM\nssl.truststore.location={folder / 'ca.pem'}"


def _login(user: str, secrets: Secrets) -> str:
    return f'{_SCRAM} required username="{user}" password="{secrets.kafka[user]}";'
