"""What a running part reads is found in the repository and in an installed wheel, and a wheel carries all of it."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from local.layout import ROOT
from signal_pipeline import resources

FOLDERS = {
    "sql": resources.SQL,
    "triggers": resources.TRIGGERS,
    **{f"docs/{kind}": resources.CONTRACTS / kind for kind in ("asyncapi", "openapi", "schemas")},
}


def test_the_repositorys_own_files_are_read() -> None:
    """Beside the package, at the top level: what people edit is what runs."""
    assert {place: path.relative_to(ROOT).as_posix() for place, path in FOLDERS.items()} == {
        place: place for place in FOLDERS
    }


def test_an_installed_package_reads_its_own(tmp_path: Path) -> None:
    """A package that carries `data` reads that, wherever it is installed and started."""
    assert resources._root(tmp_path) == tmp_path.parent
    (tmp_path / "data").mkdir()
    assert resources._root(tmp_path) == tmp_path / "data"


def test_a_wheel_carries_every_file(tmp_path: Path) -> None:
    """Each file of these folders is in the wheel, byte for byte, and nothing of tests or the local run."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        carried = {name: archive.read(name) for name in archive.namelist()}
    for place in FOLDERS:
        for path in (ROOT / place).rglob("*.*"):
            assert carried[f"signal_pipeline/data/{path.relative_to(ROOT)}"] == path.read_bytes()
    assert {name.split("/")[0] for name in carried} == {"signal_pipeline", "signal_pipeline-0.1.0.dist-info"}
