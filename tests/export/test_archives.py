"""Rows in litdata's chunks, MosaicML's MDS and DCLM's tars, read back by their own readers, row for row."""

import functools
import json

import numpy as np
import pytest
from support.exported import export, plan_of, rows_of, same
from support.readers import reader

from hf_procedural.export.formats import format_of
from hf_procedural.export.planning import plan as planned

NAMES = ("litdata", "mds", "dclm")
WIDE = 2**16  # symbols whose ids want more than uint16


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_same_bytes_in_any_order(tmp_path, name, padded):
    plan = plan_of(name, padded=padded)
    contents = []
    for order in ([0, 1, 2], [2, 0, 1]):
        folder = tmp_path / f"first_{order[0]}"
        export(name, folder, plan, order)
        contents.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert contents[0] == contents[1]
    assert len(contents[0]) == {"litdata": 4, "mds": 4, "dclm": 7}[name]


@pytest.mark.parametrize("name", ["litdata", "mds"])
def test_ids_that_do_not_fit(tmp_path, name):
    assert format_of(name).dtypes(2**16) == ["int32", "uint16", *(["int64"] if name == "mds" else [])]
    assert "uint16" not in format_of(name).dtypes(2**16 + 1)
    plan = plan_of(name, vocab_size=WIDE, dtype="uint16")
    with pytest.raises(ValueError, match="^dtype uint16 holds ids up to 65,535, and these go up to 65,537$"):
        export(name, tmp_path, plan)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["litdata", "mds"])
def test_shards_of_4_gib(tmp_path, monkeypatch, name):
    """Their offsets are uint32. Where rows have one length, it is known beforehand."""
    rows = 2**32 // (16 * 4 * (2 if name == "mds" else 1))
    words = f"^a shard of {name} has fewer than 4 GiB, and this has 4.*: ask for smaller shards$"
    plan = plan_of(name, count=2 * rows, shard_rows=rows)
    with pytest.raises(ValueError, match=words):
        export(name, tmp_path, plan, [0])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match=words):
        planned(plan.rows, name, count=2 * rows, shard_rows=rows)
    sizes = []
    monkeypatch.setattr(format_of(name).ids, "within_uint32", lambda name, size: sizes.append(size) or size)
    ((file,),) = export(name, tmp_path, plan_of(name, count=100, padded=False))
    assert sizes[-1] == file.stat().st_size


# litdata


def _litdata(folder, block, **settings):
    litdata = reader("litdata")
    return litdata.StreamingDataset(str(folder), item_loader=litdata.TokensLoader(block_size=block), **settings)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA_OPTIMIZER_CACHE_FOLDER", str(tmp_path / "cache"))


@pytest.mark.parametrize(("symbols", "dtype"), [(100, "int32"), (100, "uint16"), (WIDE, "int32")])
def test_litdata(tmp_path, symbols, dtype):
    plan = plan_of("litdata", vocab_size=symbols, dtype=dtype)
    export("litdata", tmp_path / "rows", plan)
    dataset = _litdata(tmp_path / "rows", plan.rows.row_length)
    items = [dataset[row] for row in range(len(dataset))]
    assert {str(item.dtype) for item in items} == {f"torch.{dtype}"}
    same(items, rows_of(plan)[0])


def test_litdata_shuffled_by_workers(tmp_path):
    """As litgpt loads it (``data/lit_data.py``): rows stay rows."""
    litdata = reader("litdata")
    plan = plan_of("litdata")
    export("litdata", tmp_path / "rows", plan)
    dataset = _litdata(tmp_path / "rows", plan.rows.row_length, shuffle=True)
    loader = litdata.StreamingDataLoader(dataset, batch_size=50, num_workers=2, drop_last=True)
    read = np.concatenate([batch.numpy() for batch in loader])
    wanted = np.array(rows_of(plan)[0])
    assert (read != wanted[: len(read)]).any()
    np.testing.assert_array_equal(np.sort(read.view("V64"), axis=0), np.sort(wanted.view("V64"), axis=0))


@pytest.mark.parametrize(
    ("block", "read", "at_a_row"), [(16, 2_500, 2_500), (15, 2_665, 168), (17, 2_352, 148), (48, 832, 832)]
)
def test_litdata_blocks_of_another_length(tmp_path, block, read, at_a_row):
    """Shards are cut into blocks, of which few begin at a row unless they are a row or several; tails are dropped."""
    plan = plan_of("litdata")
    export("litdata", tmp_path / "rows", plan)
    dataset = _litdata(tmp_path / "rows", block)
    length = min(16, block)
    begins = {row[:length].tobytes() for row in rows_of(plan)[0]}
    assert len(dataset) == read
    assert sum(dataset[number].numpy()[:length].tobytes() in begins for number in range(read)) == at_a_row


def test_litdata_variable_rows(tmp_path):
    plan = plan_of("litdata", padded=False)
    export("litdata", tmp_path / "rows", plan)
    dataset = _litdata(tmp_path / "rows", 1)
    np.testing.assert_array_equal(
        np.concatenate([dataset[token] for token in range(len(dataset))]), np.concatenate(rows_of(plan)[0])
    )


@pytest.mark.parametrize("dtype", ["int32", "uint16"])
def test_litdata_as_its_writer(tmp_path, dtype):
    """But for the name of the file, and for the time."""
    import torch

    litdata = reader("litdata")
    writer = reader("litdata.streaming.writer")
    plan = plan_of("litdata", count=100, shard_rows=100, dtype=dtype)
    ((file,),) = export("litdata", tmp_path / "ours", plan)
    theirs = writer.BinaryWriter(str(tmp_path / "theirs"), chunk_bytes="1MB", item_loader=litdata.TokensLoader())
    theirs[0] = torch.from_numpy(np.concatenate(rows_of(plan)[0]).astype(dtype))
    theirs.done()
    theirs.merge()
    assert file.read_bytes() == (tmp_path / "theirs" / "chunk-0-0.bin").read_bytes()
    ours, theirs = (json.loads((tmp_path / whose / "index.json").read_text()) for whose in ("ours", "theirs"))
    assert ours["updated_at"] != theirs.pop("updated_at")
    theirs["chunks"][0]["filename"] = file.name
    theirs["config"]["chunk_bytes"] = file.stat().st_size
    assert {key: ours[key] for key in theirs} == theirs


def test_litdata_other_rows_have_another_name(tmp_path):
    """By which chunks are kept in the cache of a machine that streams them."""
    names = set()
    for number, parameters in enumerate([{}, {"vocab_size": 99}, {"padded": False}, {"count": 2_499}]):
        folder = tmp_path / str(number)
        export("litdata", folder, plan_of("litdata", **parameters))
        names.add(json.loads((folder / "index.json").read_text())["updated_at"])
    assert len(names) == 4


# MDS


@pytest.mark.parametrize(("symbols", "dtype"), [(100, "int32"), (100, "uint16"), (100, "int64"), (WIDE, "int32")])
def test_mds(tmp_path, padded, symbols, dtype):
    streaming = reader("streaming.base")
    plan = plan_of("mds", vocab_size=symbols, dtype=dtype, padded=padded)
    export("mds", tmp_path / "rows", plan)
    dataset = streaming.StreamingDataset(local=str(tmp_path / "rows"), batch_size=1)
    assert dataset.num_samples == plan.count
    samples = [dataset[row] for row in range(plan.count)]
    assert {(sample["tokens"].dtype, sample["labels"].dtype) for sample in samples} == {
        (np.dtype(dtype), np.dtype("i4"))
    }
    tokens, labels = rows_of(plan)
    same([sample["tokens"] for sample in samples], tokens)
    same([sample["labels"] for sample in samples], labels)


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("task", ["stack-8", "stack-200", "dyck-2"])
def test_mds_as_its_writer(tmp_path, padded, masks, task):
    """Byte for byte, where it is given the same rows for each shard; rows of more than 255 tokens, too."""
    streaming = reader("streaming.base")
    if task == "dyck-2" and not padded:
        pytest.skip("all rows are of one length")
    plan = plan_of("mds", task, count=250, shard_rows=100, masks=masks, padded=padded)
    shards = export("mds", tmp_path / "ours", plan)
    columns = format_of("mds")._config(plan)
    columns = dict(zip(columns["column_names"], columns["column_encodings"], strict=True))
    assert list(columns) == (["labels", "tokens"] if masks else ["tokens"])
    blocks = list(plan.rows.read("train", 0, plan.count))
    tokens = [row for block in blocks for row in np.split(block.tokens, block.ends[:-1])]
    labels = [row for block in blocks for row in np.split(block.labels, block.ends[:-1])]
    for number, (file,) in enumerate(shards):
        folder = tmp_path / f"theirs_{number}"
        with streaming.MDSWriter(out=str(folder), columns=columns, size_limit=None) as writer:
            for row in range(*plan.range(number)):
                writer.write({"labels": labels[row], "tokens": tokens[row]})
        assert file.read_bytes() == (folder / "shard.00000.mds").read_bytes()
        ours = json.loads((tmp_path / "ours" / "index.json").read_text())
        theirs = json.loads((folder / "index.json").read_text())
        theirs["shards"][0]["raw_data"]["basename"] = file.name
        assert ours["shards"][number] == theirs["shards"][0]
        assert ours["version"] == theirs["version"]


def test_mds_gap_is_closed_in_parts(tmp_path, monkeypatch):
    plan = plan_of("mds", count=250, shard_rows=200)
    (_, (last,)) = export("mds", tmp_path, plan)
    content = last.read_bytes()
    monkeypatch.setattr(format_of("mds"), "_PART", 100)
    assert export("mds", tmp_path, plan)[1][0].read_bytes() == content
    assert len(content) == 4 * 52 + 50 * 16 * 8 + len(json.dumps(format_of("mds")._config(plan)))


# DCLM


def _open_lm(folder, seq_len, vocab_size, batch_size=1):
    """Batches as open_lm makes them for evaluation: ``get_wds_dataset`` and ``preprocess_json`` (data.py, 9bb92ef)."""
    wds = reader("webdataset")

    def preprocess_json(text, vocab_size):
        return [x % vocab_size if x < 0 else x for x in text]

    lines = (folder / "manifest.jsonl").read_text().split("\n")[:-1]  # ``file_utils.get_metadata_file``
    shards = [str(folder / f"{json.loads(line)['shard']}.tar") for line in lines]
    return wds.DataPipeline(
        wds.SimpleShardList(shards),
        wds.split_by_node,
        wds.split_by_worker,
        wds.tarfile_to_samples(handler=wds.reraise_exception),
        wds.decode(),
        wds.rename(json="json.gz"),
        wds.map_dict(json=functools.partial(preprocess_json, vocab_size=vocab_size)),
        wds.to_tuple("json"),
        wds.select(lambda sample: len(sample[0]) > seq_len),
        wds.batched(batch_size, partial=True),
    )


def _lists(folder, seq_len, plan):
    return [np.array(batch[0])[0] for batch in _open_lm(folder, seq_len, plan.rows.vocab_size)]


@pytest.mark.parametrize(("task", "parameters"), [("sort-1024", {}), ("dyck-64", {"length": 2049})])
@pytest.mark.parametrize("symbols", [100, WIDE])
def test_dclm_rows_as_long_as_its_lists(tmp_path, task, parameters, symbols):
    """Row for row."""
    if task == "sort-1024":
        parameters = parameters | {"vocab_size": symbols}
    plan = plan_of("dclm", task, count=25, shard_rows=10, **parameters)
    assert plan.rows.row_length == 2049
    export("dclm", tmp_path, plan)
    same(_lists(tmp_path, 2048, plan), rows_of(plan)[0])
    counts = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert counts == [{"shard": plan.stem(number), "num_sequences": [10, 10, 5][number]} for number in range(3)]


def test_dclm_longer_rows(tmp_path):
    """A list each; open_lm takes a random window of it."""
    plan = plan_of("dclm", "sort-2000", count=25, shard_rows=10)
    export("dclm", tmp_path, plan)
    same(_lists(tmp_path, 2048, plan), rows_of(plan)[0])


def test_dclm_shorter_rows_follow_one_another(tmp_path, padded):
    """The last list of a shard is padded."""
    plan = plan_of("dclm", padded=padded)
    export("dclm", tmp_path, plan)
    tokens = rows_of(plan)[0]
    wanted = []
    for number in range(plan.shards):
        ids = np.concatenate(tokens[slice(*plan.range(number))])
        wanted += [*np.pad(ids, (0, -len(ids) % 2049), constant_values=plan.rows.task.pad_id).reshape(-1, 2049)]
    same(_lists(tmp_path, 2048, plan), wanted)
    assert not _lists(tmp_path, 2049, plan)  # skipped, all of them
    counts = [json.loads(line)["num_sequences"] for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert sum(counts) == len(wanted)


def test_open_lm(tmp_path):
    """A list for each row, of which its flags find what the loss counts on (``sample_chunk``, ``mask_sequence``)."""
    plan = plan_of("open_lm")
    export("open_lm", tmp_path, plan)
    seq_len, task = plan.rows.row_length - 1, plan.rows.task
    batches = [batch[0] for batch in _open_lm(tmp_path, seq_len, plan.rows.vocab_size, batch_size=100)]
    chunks = np.concatenate([np.array(batch) for batch in batches])
    tokens, labels = rows_of(plan)
    same(chunks, tokens)
    targets = chunks[:, 1:].copy()
    left = targets == task.sep_id  # --target-mask-left
    targets[np.flip(np.flip(left, 1).cumsum(1), 1) > 0] = -100
    targets[targets == task.pad_id] = -100  # --target-mask-individual
    same(targets, [row[1:] for row in labels])


def test_open_lm_takes_rows_of_one_length(tmp_path):
    with pytest.raises(
        ValueError, match="^format open_lm has rows of one length, .* leave that out, or take format dclm$"
    ):
        export("open_lm", tmp_path, plan_of("open_lm", padded=False))
    with pytest.raises(ValueError, match="^format open_lm has rows of one length"):
        planned(plan_of("open_lm", padded=False).rows, "open_lm", count=10)
    with pytest.raises(ValueError, match="^loss_masks: format open_lm holds none .these do: .*mds"):
        planned(plan_of("open_lm").rows, "open_lm", count=10, masks=True)
    assert not list(tmp_path.iterdir())
