"""A small Hugging Face Hub on loopback, in memory, and the environment in which the real clients talk to it.

It answers what huggingface_hub 2.4, datasets 5.2, transformers 5.23 and evaluate 0.4 ask for when they publish and load
models, datasets and Spaces. It knows no pull requests, tags, multipart uploads, pages of long lists, or `.gitignore`.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

import pytest
import yaml

from support import starting

TOKENS = {"hf_alice": ("alice", "write"), "hf_bob": ("bob", "write"), "hf_reader": ("alice", "read")}
LFS = (".parquet", ".safetensors", ".bin", ".pt", ".png", ".gif")
LARGE = 10 * 1024**2  # bytes, above which a file has to be an LFS object
_REPO = r"(?P<name>[^/]+(?:/[^/]+)?)"
_API = r"/api/(?P<kind>models|datasets|spaces)/" + _REPO
_FILES = r"/(?:(?P<kind>datasets|spaces)/)?" + _REPO
_ROUTES = []


class Answer(Exception):
    """A status, a body and headers, to be returned or raised."""

    def __init__(self, status, body, headers=()):
        self.status, self.body, self.headers = status, body, dict(headers)


def refusal(status, message, code=None, **headers) -> Answer:
    """An error, with the headers by which the clients classify it."""
    if code:
        headers["X-Error-Code"] = code
    return Answer(status, {"error": message}, {"X-Error-Message": message, **headers})


class File(NamedTuple):
    content: bytes
    lfs: bool = False

    @property
    def pointer(self) -> bytes:
        oid = hashlib.sha256(self.content).hexdigest()
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(self.content)}\n".encode()

    @property
    def blob(self) -> str:
        """The name that git gives to what it keeps, the pointer of an LFS object."""
        kept = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(kept) + kept).hexdigest()

    @property
    def oid(self) -> str:
        return hashlib.sha256(self.content).hexdigest() if self.lfs else self.blob

    def facts(self) -> dict:
        facts = {"size": len(self.content), "oid": self.blob, "blobId": self.blob}
        lfs = {"oid": self.oid, "sha256": self.oid, "size": len(self.content), "pointerSize": len(self.pointer)}
        return facts | {"lfs": lfs} if self.lfs else facts


class Commit(NamedTuple):
    sha: str
    parent: "Commit | None"
    title: str
    message: str
    author: str
    date: str
    files: dict[str, File]

    def history(self) -> list["Commit"]:
        """This commit and those before it, the newest first."""
        return [self, *(self.parent.history() if self.parent else [])]

    def entries(self) -> dict[str, dict]:
        """All files and the folders that they are in, by path."""
        folders = {str(folder) for path in self.files for folder in Path(path).parents} - {"."}
        names = {path: hashlib.sha1(path.encode()).hexdigest() for path in folders}
        entries = {path: {"type": "directory", "path": path, "oid": names[path], "size": 0} for path in folders}
        entries |= {path: {"type": "file", "path": path, **file.facts()} for path, file in self.files.items()}
        return dict(sorted(entries.items()))


class Repo:
    def __init__(self, kind, name, private, author, files, sdk=None):
        self.kind, self.name, self.private, self.sdk = kind, name, private, sdk
        self.prefix = ("" if kind == "models" else f"{kind}/") + name
        self.branches, self.past, self.lfs = {}, {}, {}  # by name, by sha; by sha256 what was uploaded
        self.commit("main", "initial commit", "", author, files)

    def commit(self, branch, title, message, author, files) -> Commit:
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        commit = Commit(secrets.token_hex(20), self.branches.get(branch), title, message, author, date, files)
        self.branches[branch] = self.past[commit.sha] = commit
        return commit

    def at(self, revision) -> Commit:
        commit = self.branches.get(revision) or self.past.get(revision)
        if commit is None:
            raise refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return commit


def front_matter(readme: str) -> dict:
    """The metadata of a card; `ValueError` or `yaml.YAMLError` if they are no mapping or no YAML."""
    block = re.match(r"\s*---[\r\n]+(.*?)[\r\n]+---(?:[\r\n]|$)", readme, re.DOTALL)
    metadata = yaml.safe_load(block[1]) if block else {}
    if not isinstance(metadata or {}, dict):
        raise ValueError("the metadata should be a mapping")
    return metadata or {}


def is_lfs(path, size, sample) -> bool:
    """Whether the Hub wants a file as an LFS object, judged by its name, size and first bytes."""
    try:
        text = sample.decode()
    except UnicodeDecodeError as error:
        text = "" if error.reason == "unexpected end of data" else "\0"  # a character may be cut in two
    return path.endswith(LFS) or size > LARGE or "\0" in text


def route(method, pattern, write=False):
    """Has calls of `method` to `pattern` answered by a method of `Hub`; `write` if they change the repo in its path."""

    def register(function):
        _ROUTES.append((method, re.compile(pattern), write, function))
        return function

    return register


class Hub:
    """``with Hub(tokens) as hub``: listens until the block ends. A token has a user, "read" or "write", and orgs."""

    def __init__(self, tokens=TOKENS):
        self.tokens = tokens
        self.repos: dict[tuple[str, str], Repo] = {}  # by kind, such as "datasets", and name
        self.log: list[tuple] = []  # (method, path, status) of every request; status 0: the connection broke
        self.errors: list[str] = []  # mistakes in this file, as tracebacks
        self._uploads, self._rules, self._lock = {}, [], threading.Lock()

    def __enter__(self):
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.hub = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    # What tests look at

    def files(self, kind, name, revision="main") -> dict[str, bytes]:
        return {path: file.content for path, file in self.repos[kind, name].at(revision).files.items()}

    def commits(self, kind, name, revision="main") -> list[str]:
        """The titles of the commits, the newest first."""
        return [commit.title for commit in self.repos[kind, name].at(revision).history()]

    def count(self, method, part="", status=None) -> int:
        """How many requests there were with `part` in their path, and with that status if one is given."""
        return sum(m == method and part in path and status in (None, s) for m, path, s in list(self.log))

    # What tests let go wrong

    def before(self, method, part, action, times=1):
        """The next `times` requests of `method` with `part` in their path first call ``action(request)``.

        It may `request.read` some of the `request.left` bytes of the body, raise an `Answer`, which is then given
        instead, or raise `ConnectionError`, which drops the connection. A request calls one action at most, of those
        that are left the one that was given first.
        """
        with self._lock:
            self._rules.append([method, part, action, times])

    def fail(self, method, part, status=500, times=1, body='{"error": "simulated"}'):
        def action(request):
            raise Answer(status, body)

        self.before(method, part, action, times)

    def cut(self, method, part, times=1):
        """Drops the connection when half of the request's body has come."""

        def action(request):
            request.read(request.left // 2)
            raise ConnectionAbortedError

        self.before(method, part, action, times)

    def _act(self, request):
        with self._lock:
            for rule in self._rules:
                method, part, action, times = rule
                if times and method == request.command and part in request.path:
                    rule[3] -= 1
                    break
            else:
                return
        action(request)

    # What clients may do

    def _answer(self, request):
        path, _, query = request.path.partition("?")
        request.query = parse_qs(query)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            raise refusal(401, "Invalid credentials in Authorization header")
        request.user, request.role, *request.orgs = self.tokens.get(token, (None, None))
        for method, pattern, write, function in _ROUTES:
            match = pattern.fullmatch(path)
            if match and method == request.command.replace("HEAD", "GET"):
                words = {key: word and unquote(word) for key, word in match.groupdict().items()}
                if "name" in words:
                    request.repo = self._repo(request, words.pop("kind") or "models", words.pop("name"), write)
                answer = function(self, request, **words)
                return answer if isinstance(answer, Answer) else Answer(200, answer)
        raise refusal(404, "no such call")

    def _repo(self, request, kind, name, write) -> Repo:
        repo, namespace = self.repos.get((kind, name)), name.partition("/")[0]
        if repo is None or repo.private and namespace not in (request.user, *request.orgs):
            raise refusal(404 if request.user else 401, "Repository not found", "RepoNotFound")
        if write:
            self._may_write(request, namespace)
        return repo

    def _may_write(self, request, namespace):
        if request.user is None:
            raise refusal(401, "Authentication is needed")
        if request.role != "write":
            raise refusal(403, "This token may only read")
        if namespace not in (request.user, *request.orgs):
            raise refusal(403, f'You have no rights in the namespace "{namespace}"')

    @route("GET", "/api/whoami-v2")
    def _whoami(self, request):
        if request.user is None:
            raise refusal(401, "Authentication is needed")
        token = {"displayName": "test", "role": request.role}
        orgs = [{"name": org} for org in request.orgs]
        return {"type": "user", "name": request.user, "fullname": "", "orgs": orgs, "auth": {"accessToken": token}}

    def _named(self, request) -> tuple[str, str, dict]:
        """The kind and name of the repo that a JSON body is about, where the token may write, and the body."""
        value = request.json()
        namespace = value.get("organization") or request.user
        self._may_write(request, namespace)
        return f"{value.get('type') or 'model'}s", f"{namespace}/{value['name']}", value

    @route("POST", "/api/repos/create")
    def _create(self, request):
        kind, name, value = self._named(request)
        if not re.fullmatch(r"\w[\w.-]{0,95}", value["name"]) or (kind == "spaces") > ("sdk" in value):
            raise refusal(400, "a repo needs a name of letters, digits, and -_. and a Space an sdk")
        private = value.get("visibility") == "private" or value.get("private") is True
        files = {".gitattributes": File("".join(f"*{end} filter=lfs -text\n" for end in LFS).encode())}
        if kind == "spaces":
            files["README.md"] = File(f"---\nsdk: {value['sdk']}\n---\n".encode())
        known = (kind, name) in self.repos
        if not known:
            self.repos[kind, name] = Repo(kind, name, private, request.user, files, value.get("sdk"))
        url = {"url": f"{self.endpoint}/{self.repos[kind, name].prefix}"}
        return Answer(409, {"error": "You already created this repo", **url}) if known else url

    @route("DELETE", "/api/repos/delete")
    def _delete(self, request):
        kind, name, _ = self._named(request)
        if self.repos.pop((kind, name), None) is None:
            raise refusal(404, "Repository not found", "RepoNotFound")
        return {}

    @route("PUT", _API + "/settings", write=True)
    def _settings(self, request):
        request.repo.private = request.json().get("visibility") == "private"
        return {}

    @route("GET", _API + r"(?:/revision/(?P<revision>[^/]+))?")
    def _info(self, request, revision):
        repo, commit = request.repo, request.repo.at(revision or "main")
        blobs = "blobs" in request.query
        siblings = [{"rfilename": p} | (file.facts() if blobs else {}) for p, file in commit.files.items()]
        info = {"id": repo.name, "author": repo.name.partition("/")[0], "sha": commit.sha, "siblings": siblings}
        info |= {"private": repo.private, "gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": []}
        info |= {"createdAt": commit.history()[-1].date, "lastModified": commit.date}
        info["cardData"] = front_matter(commit.files.get("README.md", File(b"")).content.decode())
        if repo.kind == "spaces":
            info["sdk"] = repo.sdk
        expanded = request.query.get("expand")
        return {key: info[key] for key in info if not expanded or key in ("id", *expanded)}

    @route("GET", _API + r"/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
    def _tree(self, request, revision, path):
        commit, start = request.repo.at(revision), f"{path}/" if path else ""
        inside = {path: entry for path, entry in commit.entries().items() if path.startswith(start)}
        if start and not inside:
            raise refusal(404, f'"{path}" does not exist', "EntryNotFound", **{"X-Repo-Commit": commit.sha})
        deep = request.query.get("recursive", [""])[0].lower() == "true"
        return [entry for path, entry in inside.items() if deep or "/" not in path.removeprefix(start)]

    @route("POST", _API + r"/paths-info/(?P<revision>[^/]+)")
    def _paths_info(self, request, revision):
        entries = request.repo.at(revision).entries()
        return [entries[path] for path in parse_qs(request.body.decode()).get("paths", []) if path in entries]

    @route("POST", "/api/validate-yaml")
    def _validate(self, request):
        try:
            front_matter(request.json()["content"])
        except (ValueError, yaml.YAMLError) as error:
            return Answer(400, {"errors": [{"message": str(error)}], "warnings": []})
        return {"errors": [], "warnings": []}

    @route("POST", _API + r"/preupload/(?P<revision>[^/]+)", write=True)
    def _preupload(self, request, revision):
        now, answers = request.repo.at(revision).files, []
        for file in request.json()["files"]:
            path, lfs = file["path"], is_lfs(file["path"], file["size"], base64.b64decode(file["sample"]))
            answers.append({"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False})
            answers[-1]["oid"] = now[path].oid if path in now else None
        return {"files": answers}

    @route("POST", _FILES + r"\.git/info/lfs/objects/batch", write=True)
    def _batch(self, request):
        answers = []
        for value in request.json()["objects"]:
            answers.append({"oid": value["oid"], "size": value["size"]})
            if value["oid"] not in request.repo.lfs:
                capability = secrets.token_urlsafe()
                self._uploads[capability] = request.repo, value["oid"], value["size"]
                verify = f"{self.endpoint}/{request.repo.prefix}.git/info/lfs/verify"
                upload = {"href": f"{self.endpoint}/lfs/{capability}"}
                answers[-1]["actions"] = {"upload": upload, "verify": {"href": verify}}
        return {"transfer": "basic", "objects": answers}

    @route("PUT", "/lfs/(?P<capability>[^/]+)")
    def _upload(self, request, capability):
        repo, oid, size = self._uploads.get(capability, (None, None, None))
        if repo is None:
            raise refusal(403, "This link allows no upload")
        if len(request.body) != size or hashlib.sha256(request.body).hexdigest() != oid:
            raise refusal(400, "This is not the object that was announced")
        repo.lfs[oid] = request.body
        return Answer(200, b"")

    @route("POST", _FILES + r"\.git/info/lfs/verify", write=True)
    def _verify(self, request):
        value = request.json()
        if len(request.repo.lfs.get(value["oid"], b"")) != value["size"]:
            raise refusal(404, "There is no such object")
        return {}

    @route("POST", _API + r"/commit/(?P<branch>[^/]+)", write=True)
    def _commit(self, request, branch):
        repo = request.repo
        (_, header), *changes = [json.loads(line).values() for line in request.body.splitlines()]
        if branch not in repo.branches:
            raise refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        head = repo.branches[branch]
        if header.get("parentCommit") not in (None, head.sha):
            raise refusal(412, "A commit has happened since. Please refresh and try again.")
        files = dict(head.files)
        for action, value in changes:
            _change(files, action, value["path"], value, repo.lfs)
        try:
            front_matter(files.get("README.md", File(b"")).content.decode())
        except (ValueError, yaml.YAMLError) as error:
            raise refusal(400, f"Invalid metadata in README.md: {error}") from None
        commit = repo.commit(branch, header["summary"], header.get("description", ""), request.user, files)
        url = f"{self.endpoint}/{repo.prefix}/commit/{commit.sha}"
        return {"success": True, "commitOid": commit.sha, "commitUrl": url}

    @route("GET", _FILES + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
    def _resolve(self, request, revision, path):
        commit = request.repo.at(revision)
        headers = {"X-Repo-Commit": commit.sha}
        if path not in commit.files:
            raise refusal(404, "Entry not found", "EntryNotFound", **headers)
        content, size = commit.files[path].content, len(commit.files[path].content)
        headers |= {"ETag": f'"{commit.files[path].oid}"', "Accept-Ranges": "bytes"}
        span = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
        if span is None:
            return Answer(200, content, headers)
        first, last = (word and int(word) for word in span.groups())
        begin = max(size - last, 0) if first == "" else first
        end = size if "" in (first, last) else min(last + 1, size)
        if begin >= end:
            return Answer(416, b"", headers | {"Content-Range": f"bytes */{size}"})
        return Answer(206, content[begin:end], headers | {"Content-Range": f"bytes {begin}-{end - 1}/{size}"})

    @route("GET", _API + "/refs")
    def _refs(self, request):
        heads = request.repo.branches.items()
        branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit.sha} for name, commit in heads]
        return {"branches": branches, "tags": [], "converts": []}

    @route("GET", _API + r"/commits/(?P<revision>[^/]+)")
    def _commits(self, request, revision):
        return [
            {"id": c.sha, "title": c.title, "message": c.message, "date": c.date, "authors": [{"user": c.author}]}
            for c in request.repo.at(revision).history()
        ]

    @route("POST", _API + r"/branch/(?P<branch>[^/]+)", write=True)
    def _branch(self, request, branch):
        if branch in request.repo.branches:
            raise refusal(409, f"Reference already exists: {branch}")
        request.repo.branches[branch] = request.repo.at(request.json().get("startingPoint") or "main")
        return {}


def _change(files, action, path, value, lfs):
    """Makes one change of a commit to its files."""
    if not {"", ".", "..", ".git"}.isdisjoint(path.removesuffix("/").split("/")):
        raise refusal(400, f'"{path}" is no path of a file')
    if action == "file":
        files[path] = File(base64.b64decode(value["content"]))
        if len(files[path].content) > LARGE:
            raise refusal(400, f'"{path}" is too large for a regular file')
    elif action == "lfsFile":
        if value["oid"] not in lfs or value.get("size") not in (None, len(lfs[value["oid"]])):
            raise refusal(400, f'the LFS object of "{path}" was never uploaded')
        files[path] = File(lfs[value["oid"]], lfs=True)
    elif action in ("deletedFile", "deletedFolder"):
        inside = path.removesuffix("/") + "/"
        gone = [p for p in files if p == path or action == "deletedFolder" and p.startswith(inside)]
        if not gone:
            raise refusal(404, f'"{path}" does not exist', "EntryNotFound")
        for p in gone:
            del files[p]
    else:
        raise refusal(400, f"{action} is no action of a commit")


class _Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that has gone
            self.hub.errors.append(traceback.format_exc())


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def read(self, size=None) -> bytes:
        """The next `size` bytes of the body, or its rest; `ConnectionError` if the client goes away before."""
        content = self.rfile.read(self.left if size is None else min(size, self.left))
        self.left -= len(content)
        self.body += content
        if self.left and (size is None or len(content) < size):
            raise ConnectionAbortedError
        return content

    def json(self):
        return json.loads(self.body or b"{}")

    def handle_request(self):
        hub = self.server.hub
        self.left, self.body = int(self.headers.get("Content-Length", 0)), b""
        try:
            try:
                hub._act(self)
                self.read()
                with hub._lock:  # of all that a repo has, nothing changes meanwhile
                    answer = hub._answer(self)
            except Answer as raised:
                self.read()
                answer = raised
        except ConnectionError:
            self.close_connection = True
            hub.log.append((self.command, self.path, 0))
            return
        except Exception:
            hub.errors.append(traceback.format_exc())
            self.close_connection = True
            answer = Answer(500, {"error": "a mistake in hub_server.py"})
        body = answer.body if isinstance(answer.body, (bytes, str)) else json.dumps(answer.body, default=str)
        body = body.encode() if isinstance(body, str) else body
        hub.log.append((self.command, self.path, answer.status))
        self.send_response(answer.status)
        kind = "application/octet-stream" if isinstance(answer.body, bytes) else "application/json"
        headers = {"Content-Type": kind, "Content-Length": len(body)}
        for key, value in (headers | answer.headers).items():
            self.send_header(key, str(value).replace("\n", " ").encode("latin-1", "replace").decode("latin-1"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request


GUARD = '''"""Refuses connections to other machines, hides hf_procedural if asked to, and waits for nothing long."""

import importlib.util
import ipaddress
import os
import sys
import time
from importlib.machinery import PathFinder

HERE = os.path.dirname(__file__)


def is_here(host):
    try:
        return host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guard(event, arguments):
    if event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        return
    address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments
    if not isinstance(address, tuple):  # a socket of this machine's file system
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if is_here(host):
        return
    if host != "datasets-server.127.0.0.1":  # that is this Hub's dataset viewer, which datasets can do without
        with open(os.path.join(HERE, "strays"), "a") as file:
            print(host, file=file)
    raise ConnectionRefusedError(f"a test may not connect to {host}")


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hf_procedural":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.addaudithook(guard)
sleep, time.sleep = time.sleep, lambda seconds: sleep(min(seconds, 0.02))  # clients double theirs at each failure
if os.environ.get("HUB_BARE"):
    sys.meta_path.insert(0, Absent())
shadowed = PathFinder.find_spec("sitecustomize", [path for path in sys.path if path != HERE])
if shadowed:
    shadowed.loader.exec_module(importlib.util.module_from_spec(shadowed))
'''


def environment(hub: Hub, home: Path, token: str | None = None, bare: bool = False) -> dict[str, str]:
    """The environment of a Python process whose clients use `hub`, keep all they have in `home`, and stay on loopback.

    `bare` is for a process that cannot import hf_procedural, though metadata still tell that it is installed.
    """
    guard = Path(home).absolute() / "guard"
    guard.mkdir(parents=True, exist_ok=True)
    (guard / "sitecustomize.py").write_text(GUARD)
    path = [str(guard), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING", "TRANSFORMERS_"))}
    off = starting.QUIET | {"DISABLE_SAFETENSORS_CONVERSION": "1"}
    off |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    ours = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home), "PYTHONPATH": os.pathsep.join(path)}
    if token is not None:
        ours["HF_TOKEN"] = token
    return kept | off | ours | {"HUB_BARE": "1" if bare else ""}


def strays(home: Path) -> list[str]:
    """The hosts other than this one that processes with this `home` wanted to reach; they were refused."""
    file = Path(home) / "guard" / "strays"
    return file.read_text().splitlines() if file.exists() else []


def python(script: str, environment: dict[str, str], *words) -> str:
    """What a script prints that runs with `words` in a process of its own; `AssertionError` if it fails."""
    return starting.run("-c", script, *words, env=environment, check=True).stdout


@pytest.fixture(name="hub")
def empty_hub():
    """An empty Hub with the users alice and bob, and a token of alice's that may only read."""
    with Hub() as hub:
        yield hub
    assert not hub.errors, "\n".join(hub.errors)
