"""Datasets in a store (fsspec's in memory, a server that speaks S3): a folder's bytes, whole or not at all."""

import json
import sys
from pathlib import Path

import fsspec
import pytest

from fpsynth import cli
from fpsynth.console import Console
from fpsynth.errors import UserError
from fpsynth.flow import Order, generate

RECIPE = """\
identities: 3
impressions: 2
image: {width: 128, height: 128}
sampling: {model: virtual}
gate: off
splits: {train: 0.5, test: 0.5}
"""
PLACE = "memory://bucket/prints/set"


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    yield memory
    memory.store.clear()


@pytest.fixture
def command(store, monkeypatch, capsys):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fpsynth", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def content(store) -> dict[str, bytes]:
    root = "/bucket/prints/set/"
    return {name.removeprefix(root): store.cat_file(name) for name in store.find(root)}


def test_the_store_holds_what_a_folder_would(store, command, tmp_path):
    code, out, _ = command("generate", "recipe.yaml", "-o", PLACE, "--json")
    assert (code, json.loads(out)["output"]) == (0, PLACE)
    command("generate", "recipe.yaml", "-o", "here", "-q")
    here = tmp_path / "here"
    local = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}
    assert content(store) == local
    assert not list((tmp_path / "cache" / "fpsynth" / "remote").iterdir()), "nothing is left on this machine"


def test_a_dataset_in_a_store_is_read_like_any_other(store, command):
    command("generate", "recipe.yaml", "-o", PLACE, "-q")
    code, out, err = command("inspect", PLACE, "--no-judges", "--json", "--against", PLACE)
    facts = json.loads(out)
    assert (code, facts["images"], facts["path"]) == (0, 6, PLACE), err
    assert command("verify", PLACE)[0] == 0
    assert command("export", PLACE, "--to", "iso19794-2", "-o", "memory://bucket/templates", "-q")[0] == 0
    assert len(store.find("/bucket/templates")) == 6
    name = next(name for name in store.find("/bucket/prints/set/data"))
    store.pipe_file(name, store.cat_file(name)[:-100])
    assert command("verify", PLACE)[0] == 3


def test_the_manifest_is_sent_last_and_a_run_that_was_cut_goes_on(store, command, monkeypatch):
    sent, put_file = [], type(store).put_file

    def failing(self, source, target, **more):
        if len(sent) == 2:
            raise ConnectionError("the line is dead")
        sent.append(target)
        put_file(self, source, target, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "put_file", failing)
        code, _, err = command("generate", "recipe.yaml", "-o", PLACE, "-q")
    assert (code, err) == (2, f"{PLACE}: the line is dead\n")
    assert len(sent) == 2 and "manifest.json" not in content(store)
    code, out, _ = command("generate", "recipe.yaml", "-o", PLACE, "--json")
    assert (code, json.loads(out)["made"]) == (0, 0), "it was whole on this machine"
    assert json.loads(content(store)["manifest.json"])["complete"]


def test_a_copy_that_was_cut_is_made_again_and_what_others_put_there_stays(store, command, monkeypatch):
    command("generate", "recipe.yaml", "-o", PLACE, "-q")
    whole, fetched, get_file = content(store), [], type(store).get_file

    def failing(self, source, target, **more):
        if fetched:
            raise ConnectionError("the line is dead")
        fetched.append(source)
        get_file(self, source, target, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "get_file", failing)
        assert command("generate", "recipe.yaml", "-o", PLACE, "-q")[0] == 2
    put_file = type(store).put_file

    def beside(self, source, target, **more):
        store.pipe_file("/bucket/prints/set/notes.txt", b"of somebody else")
        put_file(self, source, target, **more)

    monkeypatch.setattr(type(store), "put_file", beside)
    code, out, _ = command("generate", "recipe.yaml", "-o", PLACE, "--json")
    assert (code, json.loads(out)["made"]) == (0, 0)
    assert content(store) == {**whole, "notes.txt": b"of somebody else"}


def test_a_second_run_makes_nothing_and_another_dataset_stays(store, command):
    command("generate", "recipe.yaml", "-o", PLACE, "-q")
    before = content(store)
    code, out, _ = command("generate", "recipe.yaml", "-o", PLACE, "--json")
    assert (code, json.loads(out)["made"], content(store)) == (0, 0, before)
    with pytest.raises(UserError, match="holds another dataset"):
        generate(Order(recipe=Path("recipe.yaml"), overrides=("seed=6",), out=Path(PLACE)), Console("quiet"))
    assert content(store) == before
    code, _, _ = command("generate", "recipe.yaml", "-o", PLACE, "-q", "--overwrite", "--set", "splits=train")
    assert code == 0
    assert [name for name in content(store) if name.startswith("data/")] == ["data/train-00000-of-00001.parquet"]


@pytest.fixture
def bucket(store, monkeypatch):
    """A bucket of a server on this machine, under s3://prints."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir("prints")
    yield filesystem
    server.stop()


def test_a_bucket_holds_what_a_folder_would(bucket, command, tmp_path):
    code, _, err = command("generate", "recipe.yaml", "-o", "s3://prints/a/set", "-q")
    assert code == 0, err
    command("generate", "recipe.yaml", "-o", "here", "-q")
    here = tmp_path / "here"
    local = {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}

    def held():
        bucket.invalidate_cache()
        return {name.removeprefix("prints/a/set/"): bucket.cat_file(name) for name in bucket.find("prints/a/set")}

    assert held() == local
    code, out, _ = command("generate", "recipe.yaml", "-o", "s3://prints/a/set", "--json")
    assert (code, json.loads(out)["made"]) == (0, 0)
    assert command("verify", "s3://prints/a/set")[0] == 0
    code, out, _ = command("inspect", "s3://prints/a/set", "--no-judges", "--json")
    assert (code, json.loads(out)["images"]) == (0, 6)
    assert command("export", "s3://prints/a/set", "--to", "webdataset", "-o", "s3://prints/tars", "-q")[0] == 0
    assert bucket.find("prints/tars/data")
    again = ("generate", "recipe.yaml", "-o", "s3://prints/a/set", "-q", "--overwrite", "--set", "splits=train")
    assert command(*again)[0] == 0
    assert [name for name in held() if name.startswith("data/")] == ["data/train-00000-of-00001.parquet"]
    code, _, err = command("generate", "recipe.yaml", "-o", "s3://nowhere/set", "-q")
    assert code == 2 and err.startswith("s3://nowhere/set: ") and len(err.splitlines()) == 1


def test_what_no_store_has_is_one_line(store, command):
    for arguments in (
        ("inspect", "memory://bucket/nothing"),
        ("verify", "nowhere://bucket/set"),
        ("generate", "recipe.yaml", "-o", "nowhere://bucket/set"),
        ("generate", "recipe.yaml", "-o", PLACE, "--part", "1/2"),
    ):
        code, _, err = command(*arguments)
        assert code == 2 and "://" in err and len(err.splitlines()) == 1, (arguments, err)
