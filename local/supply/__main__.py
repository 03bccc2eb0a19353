"""`python -m local.supply …`: the commands behind `make audit`, `make sbom`, `make secrets` and `make pin-images`."""

from pathlib import Path
from typing import Annotated

import typer

from local import console
from local.supervisor import Refused

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def audit() -> None:
    """Ask for known vulnerabilities of all locked dependencies; exit 1 with one, 3 when they could not be checked."""
    from local.supply import audit as module  # noqa: PLC0415 - the other commands need none of it

    findings = module.audit()
    for line in findings.vulnerable:
        console.OUT.print(f"vulnerable: {line}")
    if findings.unchecked:
        console.fail(f"NOT CHECKED: {len(findings.unchecked)} distributions, such as {findings.unchecked[0]}")
    console.OUT.print(f"{findings.outcome}: {findings.checked} distributions checked")
    raise typer.Exit(module.EXIT_STATUS[findings.outcome])


@app.command()
def sbom(path: Annotated[Path, typer.Argument(help="file to write")]) -> None:
    """Write the bill of materials of what runs, in CycloneDX JSON."""
    from local.supply.sbom import bill_of_materials  # noqa: PLC0415 - it needs the development requirements

    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bill_of_materials())
    console.OUT.print(f"{path} written")


@app.command()
def secrets() -> None:
    """Look for secrets in the tracked files and in the history; exit 1 with one."""
    from local.supply.secret_scan import scan_files, scan_history  # noqa: PLC0415 - as above

    found = [*scan_files(), *scan_history()]
    for finding in found:
        console.OUT.print(str(finding), markup=False)
    console.OUT.print(f"{len(found)} suspected secrets")
    raise typer.Exit(bool(found))


@app.command("pin-images")
def pin() -> None:
    """Write the digest behind each image's tag that has none; needs Docker with buildx."""
    from local.supply.images import pin_images  # noqa: PLC0415 - as above

    try:
        pinned = pin_images()
    except Refused as exc:
        console.fail(str(exc))
        raise typer.Exit(1) from exc
    for image in pinned:
        console.OUT.print(f"{image.tagged} {image.digest}")
    console.OUT.print(f"{len(pinned)} images pinned")


app(prog_name="python -m local.supply")
