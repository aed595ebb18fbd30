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
from fpsynth.remote import delivered, shown, url_of

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


def kept(tmp_path) -> dict[str, bytes]:
    """What waits on this machine to be sent."""
    files = (path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name != "begun.json")
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["shard", "other"])
def test_what_a_first_run_made_stays_when_it_is_refused_later(store, tmp_path, name):
    """Also where it wrote over what was there."""
    store.pipe_file("/bucket/prints/set/shard", b"older")
    with pytest.raises(UserError, match="a source is damaged"), delivered(Path(PLACE)) as here:
        (here / "made").write_bytes(b"made")
        (here / "made").replace(here / name)
        raise UserError("a source is damaged")
    assert kept(tmp_path) == {"shard": b"older", name: b"made"}
    with delivered(Path(PLACE)) as here:
        assert (here / name).read_bytes() == b"made"
    assert content(store) == {"shard": b"older", name: b"made"} and not kept(tmp_path)


def test_nothing_stays_of_a_run_that_is_refused_before_it_made_anything(store, tmp_path):
    store.pipe_file("/bucket/prints/set/shard", b"older")
    with pytest.raises(UserError, match="another dataset"), delivered(Path(PLACE)):
        raise UserError("another dataset")
    assert not list((tmp_path / "cache" / "fpsynth" / "remote").iterdir())


OLD = {"manifest.json": b"old", "data/a": b"old", "data/gone": b"old"}
NEW = {"manifest.json": b"new", "data/a": b"new", "data/b": b"new"}


@pytest.mark.parametrize("steps", range(5))
def test_a_line_that_dies_leaves_no_old_manifest_beside_new_files(store, monkeypatch, steps):
    left = steps
    for name, old in OLD.items():
        store.pipe_file(f"/bucket/prints/set/{name}", old)

    def failing(call):
        def step(self, *arguments, **more):
            nonlocal left
            left -= 1
            if left < 0:
                raise ConnectionError("the line is dead")
            return call(self, *arguments, **more)

        return step

    with monkeypatch.context() as patch:
        for name in ("put_file", "rm_file"):
            patch.setattr(type(store), name, failing(getattr(type(store), name)), raising=False)
        with pytest.raises(UserError, match="the line is dead"), delivered(Path(PLACE)) as here:
            (here / "data" / "gone").unlink()
            for name, new in NEW.items():
                (here / name).write_bytes(new)
    assert content(store) == OLD if steps == 0 else "manifest.json" not in content(store)
    with delivered(Path(PLACE)):
        pass
    assert content(store) == NEW


def test_the_same_manifest_is_not_withdrawn(store, monkeypatch):
    store.pipe_file("/bucket/prints/set/manifest.json", b"old")
    monkeypatch.setattr(type(store), "rm_file", None, raising=False)
    with delivered(Path(PLACE)) as here:
        (here / "more").write_bytes(b"more")
    assert content(store) == {"manifest.json": b"old", "more": b"more"}


def test_a_file_address_is_a_folder_of_this_machine(store, command, tmp_path):
    place = f"file://{tmp_path}/there/set"
    assert (url_of(place), url_of(Path(place)), shown(Path(place))) == (None, None, f"{tmp_path}/there/set")
    code, out, err = command("generate", "recipe.yaml", "-o", place, "--json")
    assert (code, json.loads(out)["output"]) == (0, f"{tmp_path}/there/set"), err
    assert (tmp_path / "there" / "set" / "manifest.json").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"recipe.yaml", "cache", "there"}
    assert command("verify", place)[0] == 0


@pytest.mark.parametrize("text", ["hdfs:///user/x", "s3:///", "s3://", "memory:", "file://"])
def test_an_address_without_a_host_is_refused(text):
    with pytest.raises(UserError, match=r"^.*: an address needs a host or a bucket .*$"):
        url_of(text)


def test_an_address_of_nothing_is_one_line_and_makes_no_folder(store, command, tmp_path):
    code, _, err = command("generate", "recipe.yaml", "-o", "s3://", "-q")
    assert code == 2 and "needs a host" in err and len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


@pytest.mark.parametrize("text", ["s3://bucket/a/set", "hdfs://node:8020/user/x", "memory://bucket"])
def test_a_path_stands_for_the_address_that_it_was_made_of(text):
    assert url_of(Path(text)) == url_of(text) == text and url_of(Path("out:1/x")) is None


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
