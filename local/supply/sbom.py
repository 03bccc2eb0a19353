"""The software bill of materials in CycloneDX JSON, from the locks alone: no network, the same text each time."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import replace

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

import signal_pipeline
from local.supply.locks import LOCKS, Jar, Pinned, read_jars, read_lock

__all__ = ["bill_of_materials", "image_bills"]

_OF_IMAGES = ("runtime", "otel")  # what the recipe's REQUIREMENTS may be
# Makes the serial number a function of the content; the value itself means nothing.
_NAMESPACE = uuid.UUID("b2f6f6f4-6f2a-5d43-9a0e-2f1f3f0c9d11")


def bill_of_materials(requirements: Iterable[Pinned] | None = None, jars: Iterable[Jar] | None = None) -> str:
    """Return the bill of what runs: the Python distributions of the runtime lock, the jars of Kafka and Connect.

    Args:
        requirements: Distributions; by default those of the runtime lock.
        jars: Files of the JVM part; by default those of the list of checksums.
    """
    pinned = list(read_lock(LOCKS[0]) if requirements is None else requirements)
    files = list(read_jars() if jars is None else jars)
    product = Component(
        name="signal-pipeline", version=signal_pipeline.__version__, type=ComponentType.APPLICATION, bom_ref="product"
    )
    bom = Bom()
    bom.metadata.component = product
    parts = {each.name: _distribution(each) for each in pinned}
    bom.components.update(parts.values(), (_file(each) for each in files))
    for each in pinned:
        for asker in each.via:
            bom.register_dependency(parts.get(asker, product), [parts[each.name]])
    wanted = [parts[each.name] for each in pinned if not set(each.via) & parts.keys()]
    bom.register_dependency(product, wanted)
    return _text(bom)


def image_bills() -> dict[str, str]:
    """Return the bill that an image carries, by its file's name below requirements/: that of the lock it is built from.

    It has no hashes: which file of a distribution is installed is the platform's choice, and the lock has each file's.
    """
    return {
        f"{lock.stem}.cdx.json": bill_of_materials([replace(each, hashes=()) for each in read_lock(lock)], jars=())
        for lock in LOCKS
        if lock.stem in _OF_IMAGES
    }


def _distribution(each: Pinned) -> Component:
    return Component(
        name=each.name,
        version=each.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"pypi/{each.name}",
        purl=PackageURL("pypi", None, each.name, each.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in each.hashes],
    )


def _file(each: Jar) -> Component:
    return Component(
        name=each.name,
        version=each.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"jar/{each.sha256}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each.sha256)],
    )


def _text(bom: Bom) -> str:
    """Return the document without what would differ from call to call: a random serial number, and its time."""
    content = ",".join(sorted(f"{part.name}=={part.version}" for part in bom.components))
    bom.serial_number = uuid.uuid5(_NAMESPACE, content)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]
    return json.dumps(document, indent=2) + "\n"
