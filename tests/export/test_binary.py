"""Rows in the binary formats of others, read back by the others' own readers, row for row."""

import gzip
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
from support.exported import export, plan_of, rows_of, same
from support.readers import reader
from support.vocabularies import large_tokenizer

import hf_procedural as hp
from hf_procedural.data.coded import CodedRows
from hf_procedural.export import ids
from hf_procedural.export.formats import format_of
from hf_procedural.export.plan import Plan
from hf_procedural.tasks.coding import Coding

NAMES = ("megatron", "nanogpt", "llmc", "olmo", "datatrove")
UINT16 = 2**16 - 2  # symbols of a task whose ids, with those of <sep> and <pad>, just fit into uint16


def _rows(plan):
    """The tokens of each row, and on which of them the loss counts."""
    tokens, labels = rows_of(plan)
    return tokens, [row != -100 for row in labels]


# Megatron-LM


@pytest.mark.parametrize(("symbols", "dtype"), [(65_497, "uint16"), (65_498, "int32"), (2**17, "int32")])
def test_megatron(tmp_path, padded, symbols, dtype):
    reader("megatron.core")
    from megatron.core.datasets.indexed_dataset import DType, IndexedDataset

    plan = plan_of("megatron", padded=padded, vocab_size=symbols)
    assert plan.dtype == dtype == np.dtype(DType.optimal_dtype(plan.rows.vocab_size)).name
    read = []
    for bin_file, _ in export("megatron", tmp_path, plan):
        shard = IndexedDataset(str(bin_file.with_suffix("")))
        assert np.dtype(shard.index.dtype) == dtype
        np.testing.assert_array_equal(shard.document_indices, np.arange(len(shard) + 1))
        read += [shard[row].copy() for row in range(len(shard))]  # which end with their data set
    same(read, rows_of(plan)[0])


def test_megatron_index_of_many_rows(tmp_path, monkeypatch):
    """Written in pieces, as it is where a shard has millions of rows, the index is that of megatron-core's builder."""
    import torch

    reader("megatron.core")
    from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

    monkeypatch.setattr(format_of("megatron"), "_AT_A_TIME", 7)
    plan = plan_of("megatron", count=21, shard_rows=21, padded=False)
    ((bin_file, idx_file),) = export("megatron", tmp_path, plan)
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), np.uint16)
    for block in plan.rows.read("train", 0, 21):
        for row in np.split(block.tokens, block.ends[:-1]):
            builder.add_document(torch.from_numpy(row), [len(row)])
    builder.finalize(str(tmp_path / "theirs.idx"))
    assert (tmp_path / "theirs.bin").read_bytes() == bin_file.read_bytes()
    assert (tmp_path / "theirs.idx").read_bytes() == idx_file.read_bytes()


@pytest.mark.parametrize(("extra", "lost"), [(False, 0), (True, 3)])
def test_megatron_samples_are_rows(tmp_path, extra, lost):
    """At the row's length, without the extra token; with it each shard loses its last row."""
    reader("megatron.core")
    from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
    from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig

    plan = plan_of("megatron", count=250, shard_rows=100)
    length = plan.rows.task.max_length
    tokenizer = SimpleNamespace(vocab_size=102, eod=-2, pad=-1, unique_identifiers=OrderedDict(name="ours"))
    samples = []
    for bin_file, _ in export("megatron", tmp_path, plan):
        config = GPTDatasetConfig(
            random_seed=0,
            sequence_length=length,
            blend=([str(bin_file.with_suffix(""))], None),
            split="1,0,0",
            tokenizer=tokenizer,
            reset_position_ids=False,
            reset_attention_mask=False,
            eod_mask_loss=False,
            path_to_cache=str(tmp_path / "cache"),
            add_extra_token_to_sequence=extra,
        )
        shard = BlendedMegatronDatasetBuilder(GPTDataset, [None, 0, 0], lambda: True, config).build()[0]
        samples += [shard[number] for number in range(len(shard))]
    rows = {row.tobytes() for row in rows_of(plan)[0]}
    assert len(samples) == plan.count - lost
    assert {sample["tokens"].numpy().astype("i4").tobytes() for sample in samples} <= rows
    cut = [sample["loss_mask"][-1].item() for sample in samples]
    assert set(cut) == {1.0 if extra else 0.0}  # whether the next row's first token is learnt


# nanoGPT, llm.c


def _nanogpt(file):
    """As ``get_batch`` of nanoGPT (train.py, 3adf61e) opens a file."""
    return np.memmap(file, dtype=np.uint16, mode="r")


def _llmc(file):
    """As llm.c (f1e2ace) reads a file: ``dataloader_load_shard_``, and ``_load_data_shard`` of train_llama3.py."""
    content = file.read_bytes()
    magic, version, count = np.frombuffer(content[: 256 * 4], np.int32)[:3]
    dtype = {(20240520, 1): np.uint16, (20240801, 7): np.uint32}[magic, version]
    assert len(content) == 256 * 4 + count * np.dtype(dtype).itemsize
    return np.frombuffer(content[256 * 4 :], dtype)


@pytest.mark.parametrize(("split", "name"), [("train", "train.bin"), ("validation", "val.bin")])
@pytest.mark.parametrize("shard_rows", [1_000, 2_500])
def test_nanogpt(tmp_path, padded, split, name, shard_rows):
    plan = plan_of("nanogpt", split=split, padded=padded, shard_rows=shard_rows, vocab_size=UINT16)
    assert not format_of("nanogpt").finished(tmp_path, plan)
    export("nanogpt", tmp_path, plan)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert format_of("nanogpt").finished(tmp_path, plan)
    np.testing.assert_array_equal(_nanogpt(tmp_path / name), np.concatenate(rows_of(plan)[0]))
    if plan.shards > 1:
        (tmp_path / f"{plan.stem(1)}.bin").touch()  # of a process that was killed while it removed them
    format_of("nanogpt").finish(tmp_path, plan)  # once more
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("symbols", "dtype"), [(100, "uint16"), (UINT16, "uint16"), (UINT16 + 1, "uint32")])
def test_llmc(tmp_path, padded, symbols, dtype):
    plan = plan_of("llmc", padded=padded, vocab_size=symbols)
    assert plan.dtype == dtype
    read = [_llmc(file) for (file,) in export("llmc", tmp_path, plan)]
    assert [shard.dtype for shard in read] == [dtype] * 3
    np.testing.assert_array_equal(np.concatenate(read), np.concatenate(rows_of(plan)[0]))


# OLMo-core


def _olmo(config, tmp_path, plan, **settings):
    """A data set of OLMo-core over an export of ours, as its configuration builds it."""
    data = reader("olmo_core.data")

    shards = export("olmo", tmp_path, plan)
    tokenizer = data.TokenizerConfig(
        vocab_size=plan.rows.vocab_size, eos_token_id=plan.rows.vocab_size - 1, pad_token_id=plan.rows.task.pad_id
    )
    masks = [str(files[1]) for files in shards] if plan.masks else None
    config = getattr(data, config)(
        tokenizer=tokenizer,
        paths=[str(files[0]) for files in shards],
        label_mask_paths=masks,
        sequence_length=plan.rows.task.max_length,
        work_dir=str(tmp_path / "work"),
        **settings,
    )
    assert np.dtype(config.get_dtype()) == plan.dtype  # its own choice
    dataset = config.build()
    dataset.prepare()
    return dataset


@pytest.mark.parametrize(
    ("symbols", "dtype"), [(100, "uint8"), (2**8 - 1, "uint16"), (UINT16, "uint16"), (UINT16 + 1, "uint32")]
)
def test_olmo(tmp_path, symbols, dtype):
    get_labels = reader("olmo_core.data.utils").get_labels

    plan = plan_of("olmo", vocab_size=symbols)
    assert plan.dtype == dtype
    dataset = _olmo("NumpyFSLDatasetConfig", tmp_path, plan)
    items = [dataset[row] for row in range(len(dataset))]
    tokens, masks = _rows(plan)
    same([item["input_ids"] for item in items], tokens)
    same([item["label_mask"] for item in items], masks)
    batch = {key: value[None] for key, value in items[0].items() if key != "metadata"}
    shifted = np.append(np.where(masks[0], tokens[0], -100)[1:], -100)
    np.testing.assert_array_equal(get_labels(batch)[0], shifted)


def test_olmo_variable_rows(tmp_path, monkeypatch):
    """Rows without an end token, one in each instance: by the starts and ends that stand beside them."""
    monkeypatch.setenv("OLMO_DATA_PREP_USE_ARRAY_IF_LOCAL", "false")
    plan = plan_of("olmo", padded=False)
    dataset = _olmo("NumpyPaddedFSLDatasetConfig", tmp_path, plan)
    tokens, masks = _rows(plan)
    width, pad = plan.rows.task.max_length, plan.rows.task.pad_id
    items = [dataset[row] for row in range(len(dataset))]
    same(
        [item["input_ids"] for item in items],
        [np.pad(row, (0, width - len(row)), constant_values=pad) for row in tokens],
    )
    same([item["label_mask"] for item in items], [np.pad(row, (0, width - len(row))) for row in masks])


def test_olmo_packed_rows(tmp_path):
    """Whole rows, several in an instance."""
    plan = plan_of("olmo", padded=False)
    dataset = _olmo("NumpyPackedFSLDatasetConfig", tmp_path, plan, use_array_if_local=False, generate_doc_lengths=True)
    packed = []
    for number in range(len(dataset)):
        item = dataset[number]
        used = item["doc_lens"].cumsum(0)
        packed += [row.numpy() for row in item["input_ids"].tensor_split(used) if len(row)]
    wanted = sorted(row.tolist() for row in rows_of(plan)[0])
    assert sorted(row.tolist() for row in packed if row[0] != plan.rows.task.pad_id) == wanted


def test_olmo_same_bytes(tmp_path):
    """The archive has neither time nor name."""
    plan = plan_of("olmo", count=100, shard_rows=100)
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ((*_, rows),) = export("olmo", tmp_path / name, plan)
        contents.append(rows.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0][3:8] == bytes(5)  # flags, of which one is a name, and time
    assert gzip.decompress(contents[0]).startswith(b"0,16\n16,32\n")


# datatrove


@pytest.mark.parametrize(("symbols", "dtype", "size"), [(UINT16, "uint16", 2), (UINT16 + 1, "uint32", 4)])
def test_datatrove(tmp_path, symbols, dtype, size):
    from datatrove.utils.dataset import DatatroveFolderDataset

    plan = plan_of("datatrove", vocab_size=symbols)
    assert plan.dtype == dtype
    export("datatrove", tmp_path, plan)
    width = plan.rows.task.max_length
    dataset = DatatroveFolderDataset(
        str(tmp_path), width - 1, filename_pattern="*.ds", token_size=size, return_positions=True
    )
    items = [dataset[row] for row in range(len(dataset))]
    same([item["input_ids"] for item in items], rows_of(plan)[0])
    same([item["positions"] for item in items], [np.arange(width)] * plan.count)


@pytest.mark.parametrize("masks", [True, False])
def test_datatrove_same_bytes(tmp_path, padded, masks):
    """As datatrove writes them, but for the name of the tokenizer."""
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile

    plan = plan_of("datatrove", padded=padded, count=2_500, shard_rows=2_500)
    plan = Plan(plan.rows, "train", 2_500, 2_500, plan.dtype, masks)
    export("datatrove", tmp_path, plan)
    theirs = TokenizedFile(
        str(tmp_path / "theirs"),
        "train-00000-of-00001.ds",
        save_loss_metadata=masks,
        save_final_metadata=True,
        tokenizer_name_or_path="stack-8",
    )
    for tokens, mask in zip(*_rows(plan), strict=True):
        theirs.write(tokens.tolist(), mask if masks else None)
    theirs.close()
    names = sorted(file.name for file in (tmp_path / "theirs").iterdir())
    assert names == sorted(file.name for file in tmp_path.glob("*.*"))
    assert len(names) == 3 + masks
    for name in names:
        assert (tmp_path / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name


@pytest.mark.parametrize("count", [1, 18, 999, 1_000, 9_994, 9_999, 999_499, 999_500, 10**9, 129 * 10**12])
def test_datatrove_count_in_words(count):
    import humanize

    assert format_of("datatrove")._metric(count) == humanize.metric(count, unit="T")


# Rows in a tokenizer's ids


def test_rows_of_a_tokenizer(tmp_path):
    """Written out, and merged by datatrove, which takes the dtype from .metadata, as nanotron takes the tokenizer."""
    from datatrove.pipeline.tokens.merger import DocumentTokenizerMerger
    from datatrove.utils.dataset import DatatroveFileDataset

    task = hp.task("stack-8")
    rows = CodedRows(task, coding=Coding.make(task, large_tokenizer(), "text"))
    plan = Plan(rows, "train", 50, 50, format_of("datatrove").dtypes(rows.vocab_size)[0], True)
    ((tokens, loss, index, metadata),) = export("datatrove", tmp_path / "rows", plan)
    ends = np.fromfile(index, np.uint64)
    (block,) = rows.read("train", 0, 50)
    np.testing.assert_array_equal(ends, block.ends)
    np.testing.assert_array_equal(
        DatatroveFileDataset(str(tokens), ends[-1] - 1, token_size=4)[0]["input_ids"], block.tokens
    )
    np.testing.assert_array_equal(np.fromfile(loss, bool), block.labels != -100)
    assert metadata.read_text().splitlines()[:2] == [f"{rows.coding.tokenizer}|4", str(ends[-1])]
    merger = DocumentTokenizerMerger(str(tmp_path / "rows"), str(tmp_path / "merged"), "all", seed=0)
    merger.run()
    merged = np.fromfile(tmp_path / "merged" / "000_all.ds", np.uint32)
    merged_ends = np.fromfile(tmp_path / "merged" / "000_all.ds.index", np.uint64).astype(int)
    shuffled = [row.tolist() for row in np.split(merged, merged_ends[:-1])]
    assert sorted(shuffled) == sorted(row.tolist() for row in np.split(block.tokens, block.ends[:-1]))


# All


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_too_small_writes_nothing(tmp_path, name):
    plan = plan_of(name, vocab_size=UINT16 + 1, dtype="uint16", count=10, shard_rows=10)
    with pytest.raises(ValueError, match=r"^dtype uint16 holds ids up to 65,535, and these go up to 65,536$"):
        export(name, tmp_path, plan)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_own_choice_of_dtype(name):
    assert ids.chosen(name, format_of(name).dtypes(102), 102) == ("uint8" if name == "olmo" else "uint16")


def test_dtypes_refused():
    with pytest.raises(
        ValueError, match=r"^format nanogpt has no dtype for these rows, whose ids go up to 65,536: cho"
    ):
        ids.chosen("nanogpt", format_of("nanogpt").dtypes(65_537), 65_537)
    wanted = r"^dtype must be int32 for format megatron, where ids go up to 65,536, got uint16$"
    with pytest.raises(ValueError, match=wanted):
        ids.chosen("megatron", format_of("megatron").dtypes(65_537), 65_537, "uint16")
    assert ids.chosen("megatron", format_of("megatron").dtypes(65_536), 65_536, "uint16") == "uint16"
