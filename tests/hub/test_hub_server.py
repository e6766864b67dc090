"""The Hub that tests publish to, as the real clients see it."""

import http.client
import json
import os
import signal

import pytest
from support import starting
from support.hub_server import empty_hub, environment, python, strays  # noqa: F401

PUSH = """
from datasets import Dataset, DatasetDict
for config, start in ("first", 0), ("second", 100), ("second", 200):
    splits = {"train": range(start, start + 30), "test": range(start, start + 5)}
    data = DatasetDict({name: Dataset.from_dict({"x": list(rows)}) for name, rows in splits.items()})
    data.push_to_hub("alice/numbers", config, private=True)
data["test"].push_to_hub("alice/numbers", "second", split="test", revision="dev/x")
"""

LOAD = """
import pytest
from datasets import get_dataset_config_names, load_dataset
from datasets.exceptions import DatasetNotFoundError
with pytest.raises(DatasetNotFoundError):
    load_dataset("alice/numbers", "first", token="hf_bob")
assert get_dataset_config_names("alice/numbers") == ["first", "second"]
assert load_dataset("alice/numbers", "first")["train"]["x"] == list(range(30))
assert load_dataset("alice/numbers", "second", split="test", revision="dev/x")["x"] == list(range(200, 205))
rows = load_dataset("alice/numbers", "second", split="train", streaming=True)
assert [row["x"] for row in rows] == list(range(200, 230))
"""

API = """
import os, sys, pytest
from pathlib import Path
from huggingface_hub import HfApi, HfFileSystem, CommitOperationAdd, errors, hf_hub_download, metadata_load
from huggingface_hub import snapshot_download
api, folder, name = HfApi(), sys.argv[1], "alice/folder"
assert api.whoami()["name"] == "alice"

def status(call, *words, **options):
    with pytest.raises(errors.HfHubHTTPError) as error:
        call(*words, **options)
    return error.value.response.status_code

def names(**options):
    return sorted(api.list_repo_files(name, **options))

def upload(**options):
    return api.upload_folder(repo_id=name, folder_path=folder, **options)

api.create_repo(name, private=True)
assert api.create_repo(name, exist_ok=True).repo_id == name
first = upload(commit_message="once")
upload(commit_message="twice")
assert names() == sorted([".gitattributes", "README.md", "empty.txt", "sub/deep/w.bin", "sub/ü #1.txt"])
entries = {entry.path: entry for entry in api.list_repo_tree(name, recursive=True)}
assert entries["sub/deep/w.bin"].lfs.size == 70000 and entries["sub/ü #1.txt"].lfs is None and "sub/deep" in entries
assert [entry.path for entry in api.list_repo_tree(name, "sub")] == ["sub/deep", "sub/ü #1.txt"]
assert [entry.path for entry in api.get_paths_info(name, ["README.md", "nothing"])] == ["README.md"]
info = api.model_info(name, files_metadata=True)
assert info.private and info.sha == first.oid and info.card_data.license == "mit"
assert {file.rfilename: file.size for file in info.siblings}["sub/deep/w.bin"] == 70000
assert api.model_info(name, expand=["sha"]).sha == first.oid
snapshot = Path(snapshot_download(name))
assert all((snapshot / p).read_bytes() == (Path(folder) / p).read_bytes() for p in names() if p[0] != ".")
with HfFileSystem().open(f"{name}/sub/deep/w.bin", block_size=1000) as file:
    file.seek(69_990)
    assert file.read() == Path(folder, "sub/deep/w.bin").read_bytes()[69_990:]

# rights
assert not api.repo_exists(name, token="hf_bob") and not api.repo_exists(name, token=False) and api.repo_exists(name)
for token, expected in (("hf_bob", 404), (False, 401), ("hf_unknown", 401), ("hf_reader", 403)):
    assert status(upload, token=token) == expected, token
assert status(api.create_repo, "alice/mine", token="hf_bob") == 403
assert status(api.whoami, token="hf_unknown") == 401
api.update_repo_settings(name, private=False)
assert names(token="hf_bob") == names() and status(upload, token="hf_bob") == 403

# revisions
api.create_branch(name, branch="dev/x")
assert status(api.create_branch, name, branch="dev/x") == 409
assert status(names, revision="gone") == 404
upload(revision="dev/x", path_in_repo="more", delete_patterns="*")
api.delete_folder("sub", name, revision="dev/x")
assert "sub/deep/w.bin" in names() and "sub/deep/w.bin" not in names(revision="dev/x")
assert "more/README.md" in names(revision="dev/x")
assert [b.name for b in api.list_repo_refs(name).branches] == ["main", "dev/x"]
with pytest.raises(errors.RevisionNotFoundError):
    hf_hub_download(name, "README.md", revision="gone")
with pytest.raises(errors.EntryNotFoundError):
    hf_hub_download(name, "gone.txt")
with pytest.raises(errors.EntryNotFoundError):
    list(api.list_repo_tree(name, "gone"))

# commits
def commit(path, content=b"x", **options):
    return api.create_commit(name, [CommitOperationAdd(path, content)], commit_message="a commit", **options)

before = api.list_repo_commits(name)
assert status(commit, "late.txt", parent_commit=before[-1].commit_id) == 412
with pytest.raises(ValueError, match="metadata"):
    commit("README.md", b"---\\na: [\\n---\\n")
assert [c.commit_id for c in api.list_repo_commits(name)] == [c.commit_id for c in before]
assert [c.title for c in before] == ["once", "initial commit"]
space = api.create_repo("space", repo_type="space", space_sdk="static").repo_id
assert metadata_load(hf_hub_download(space, "README.md", repo_type="space"))["sdk"] == "static"
api.delete_repo(space, repo_type="space")
assert not api.repo_exists(space, repo_type="space")
"""

UPLOAD = """
import sys
from huggingface_hub import HfApi
HfApi().create_repo("alice/folder", repo_type="dataset", exist_ok=True)
HfApi().upload_folder(repo_id="alice/folder", folder_path=sys.argv[1], repo_type="dataset", commit_message="all")
"""

PUSH_MODEL = """
import torch
from tokenizers import Tokenizer, models
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config(vocab_size=3, n_positions=8, n_embd=4, n_layer=1, n_head=1))
torch.nn.init.constant_(model.transformer.wpe.weight, 0.25)
model.push_to_hub("alice/model")
PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?").push_to_hub("alice/model")
"""

LOAD_MODEL = """
import pytest
with pytest.raises(ImportError):
    import hf_procedural
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = (kind.from_pretrained("alice/model") for kind in (AutoModelForCausalLM, AutoTokenizer))
assert (model.transformer.wpe.weight == 0.25).all() and tokenizer("b")["input_ids"] == [1]
"""


@pytest.fixture
def folder(tmp_path):
    """Files that the Hub keeps in git, and one that it keeps as an LFS object."""
    folder = tmp_path / "folder"
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Größe\n")
    (folder / "empty.txt").touch()
    (folder / "sub" / "ü #1.txt").write_text("x" * 511 + "ü")  # the sample ends within the last letter
    (folder / "sub" / "deep" / "w.bin").write_bytes(bytes(range(250)) * 280)
    return folder


def test_datasets_are_pushed_config_by_config_and_loaded(hub, tmp_path):
    python(PUSH, environment(hub, tmp_path / "alice", "hf_alice"))
    python(LOAD, environment(hub, tmp_path / "fresh", "hf_reader"))
    assert strays(tmp_path / "alice") == strays(tmp_path / "fresh") == []
    assert len(hub.commits("datasets", "alice/numbers")) == 4 and hub.count("GET", ".parquet", 206) > 0
    assert sum(path.endswith(".parquet") for path in hub.files("datasets", "alice/numbers")) == 4


def test_models_and_tokenizers_are_pushed_and_loaded_without_this_package(hub, tmp_path):
    python(PUSH_MODEL, environment(hub, tmp_path / "alice", "hf_alice"))
    python(LOAD_MODEL, environment(hub, tmp_path / "fresh", bare=True))
    assert strays(tmp_path / "alice") == strays(tmp_path / "fresh") == []


def test_the_api_sees_files_rights_revisions_and_commits(hub, folder, tmp_path):
    python(API, environment(hub, tmp_path / "home", "hf_alice"), folder)
    assert strays(tmp_path / "home") == []


def test_a_failed_upload_is_repeated_by_the_client(hub, folder, tmp_path):
    hub.fail("POST", "/preupload/", status=500, times=2)
    hub.cut("PUT", "/lfs/")
    python(UPLOAD, environment(hub, tmp_path / "home", "hf_alice"), folder)
    assert hub.count("POST", "/preupload/", 500) == 2 and hub.count("POST", "/preupload/", 200) == 1
    assert hub.count("PUT", "/lfs/", 0) == 1 and hub.count("PUT", "/lfs/") == 2
    assert hub.commits("datasets", "alice/folder") == ["all", "initial commit"]
    assert hub.files("datasets", "alice/folder")["sub/deep/w.bin"] == (folder / "sub" / "deep" / "w.bin").read_bytes()


def test_a_client_killed_in_an_upload_leaves_no_commit_and_a_refused_one_says_why(hub, folder, tmp_path):
    client = environment(hub, tmp_path / "home", "hf_alice")
    process = starting.Process(["-c", UPLOAD, folder], env=client)

    def kill(request):
        request.read(request.left // 2)
        os.kill(process.pid, signal.SIGKILL)
        raise ConnectionAbortedError

    hub.before("PUT", "/lfs/", kill)
    assert process.wait().returncode == -9
    hub.fail("POST", "/objects/batch", status=403, body='{"error": "Private storage limit reached"}')
    refused = starting.run("-c", UPLOAD, folder, env=client)
    assert refused.returncode == 1 and "Private storage limit reached" in refused.stderr
    assert (
        hub.commits("datasets", "alice/folder") == ["initial commit"] and not hub.repos["datasets", "alice/folder"].lfs
    )
    python(UPLOAD, client, folder)
    assert hub.commits("datasets", "alice/folder") == ["all", "initial commit"]


def test_a_client_reaches_this_machine_only(hub, tmp_path):
    script = """
import socket, pytest
for call in (lambda: socket.create_connection(("example.org", 80)), lambda: socket.socket().connect(("10.0.0.1", 80))):
    with pytest.raises(ConnectionRefusedError):
        call()
"""
    python(script, environment(hub, tmp_path / "home"))
    assert strays(tmp_path / "home") == ["example.org", "10.0.0.1"]


def test_requests_that_the_clients_never_make(hub):
    def ask(method, path, body=None, token="hf_alice", **headers):
        connection = http.client.HTTPConnection(hub.endpoint.removeprefix("http://"))
        body = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"} | headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()

    def commit(**value):
        header = {"key": "header", "value": {"summary": "title"}}
        lines = [header, {"key": "file", "value": {"path": "fine", "content": ""}}, value]
        return ask("POST", "/api/models/alice/x/commit/main", "\n".join(map(json.dumps, lines)))[0]

    assert ask("POST", "/api/repos/create", {"name": "x", "organization": None})[0] == 200
    status, _, body = ask("POST", "/api/repos/create", {"name": "x", "organization": "alice"})
    assert status == 409 and json.loads(body)["url"] == f"{hub.endpoint}/alice/x"
    for path in ("../x", "a/../../x", ".git/config", "/x", "", "a//b"):
        assert commit(key="file", value={"path": path, "content": "eA=="}) == 400, path
    assert commit(key="lfsFile", value={"path": "w.bin", "oid": "0" * 64, "size": 1}) == 400
    assert commit(key="deletedFile", value={"path": "gone"}) == 404
    assert hub.commits("models", "alice/x") == ["initial commit"]
    assert commit(key="file", value={"path": "x", "content": "MDEyMzQ1Njc4OQ=="}) == 200

    for span, part in (("2-4", b"234"), ("7-", b"789"), ("-3", b"789"), ("8-99", b"89"), ("0-0", b"0")):
        status, headers, body = ask("GET", "/alice/x/resolve/main/x", Range=f"bytes={span}")
        first = "0123456789".index(part.decode())
        assert (status, body) == (206, part)
        assert headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/10"
    assert ask("GET", "/alice/x/resolve/main/x", Range="bytes=10-")[0] == 416
    status, headers, body = ask("HEAD", "/alice/x/resolve/main/x")
    assert (status, headers["Content-Length"], body) == (200, "10", b"") and headers["X-Repo-Commit"]

    value = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 2}]}
    answer = json.loads(ask("POST", "/alice/x.git/info/lfs/objects/batch", value)[2])
    href = answer["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.endpoint)
    assert ask("PUT", href, b"no")[0] == 400 and ask("PUT", "/lfs/guessed", b"no")[0] == 403
    assert not hub.repos["models", "alice/x"].lfs
