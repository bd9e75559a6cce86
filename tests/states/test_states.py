"""States as values: what is packed comes back, or is refused by the name of the entry."""

import random
from collections import OrderedDict
from types import MappingProxyType

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hpo_research.errors import StateError
from hpo_research.states import Packed, copied, pack, unpack

W = torch.arange(24.0).reshape(2, 3, 4)


def network() -> torch.nn.Module:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    net(torch.arange(96.0).reshape(2, 3, 4, 4))
    return net.to(memory_format=torch.channels_last)


TENSORS = {
    "contiguous": W,
    "transposed": W.permute(2, 0, 1),
    "a slice": W[:, 1:, ::3],
    "expanded": W[0, 0].expand(5, 4),
    "overlapping": torch.arange(9.0).unfold(0, 3, 1),
    "channels last": torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "zero-size": torch.empty(0, 3, dtype=torch.int16),
    "a number": torch.tensor(3.5)[...],
    "conjugate": torch.tensor([1 + 2j, 3.0], dtype=torch.complex128).conj(),
    "negated": torch.tensor([1 + 2j, 3.0]).conj().imag,
    "with a graph": torch.ones(3, requires_grad=True) * 2,
    "a leaf": torch.ones(3, requires_grad=True),
    "NaN and infinite": torch.tensor([float("nan"), float("inf"), -0.0]),
    **{
        str(dtype): torch.tensor([0, 1, 1]).to(dtype)
        for dtype in (
            *(torch.bool, torch.uint8, torch.uint16, torch.uint64, torch.int8, torch.int64),
            *(torch.float16, torch.bfloat16, torch.float64, torch.complex64),
            *(torch.float8_e4m3fn, torch.float8_e5m2),
        )
    },
}


def bits(tensor: torch.Tensor) -> np.ndarray:
    plain = tensor.detach().resolve_conj().resolve_neg().reshape(-1).contiguous()
    return plain.view(torch.uint8).numpy()


def there_and_back(value: object) -> object:
    return unpack(pack({"x": value}).content)["x"]


@pytest.mark.parametrize("given", TENSORS.values(), ids=TENSORS)
def test_a_tensor_comes_back_with_its_values_shape_dtype_and_strides(given):
    found = there_and_back(given)
    assert (found.shape, found.dtype) == (given.shape, given.dtype)
    assert found.stride() == given.stride() or given.is_neg()
    assert found.is_leaf and found.requires_grad == (given.is_leaf and given.requires_grad)
    assert found.numel() == 0 or (bits(found) == bits(given)).all()
    assert found.numel() == 0 or found.data_ptr() % 64 == given.data_ptr() % 64 or given.is_neg()


@pytest.mark.parametrize(
    "layout", ["sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc"]
)
def test_a_sparse_tensor_comes_back_as_one(layout):
    blocks = {"blocksize": (2, 2)} if layout.startswith("sparse_b") else {}
    given = torch.eye(4).to_sparse(layout=getattr(torch, layout), **blocks)
    found = there_and_back(given)
    assert found.layout == given.layout and found.shape == given.shape
    assert torch.equal(found.to_dense(), given.to_dense())


def test_tensors_that_share_memory_share_it_again_and_nothing_else():
    w = torch.ones(2, 3)
    found = unpack(pack({"a": w, "b": w, "row": w[1], "bits": w.view(torch.int32)}).content)
    found["a"][1, 0] = 7
    assert found["b"][1, 0] == 7 and found["row"][0] == 7
    assert found["bits"][1, 0] == torch.tensor(7.0).view(torch.int32)
    assert w[1, 0] == 1


def test_of_a_large_tensor_only_the_part_that_is_used_is_kept():
    assert len(pack({"w": torch.ones(1000, 100)[500]}).content) < 2000


def test_what_is_packed_does_not_change_with_the_tensor():
    w = torch.ones(3)
    packed = pack({"w": w})
    w.zero_()
    assert torch.equal(packed["w"], torch.ones(3))
    (first, second) = (copied(packed), copied(packed))
    first["w"].zero_()
    assert torch.equal(second["w"], torch.ones(3)) and pack(second) == packed


def test_a_module_and_an_optimiser_go_on_from_their_state_dicts():
    net, again = network(), network()
    momentum = {"momentum_buffer": torch.ones(4, 3, 3, 3).to(memory_format=torch.channels_last)}
    groups = [{"lr": 0.1, "betas": (0.9, 0.99), "foreach": None, "params": [0, 1]}]
    state = {"net": net.state_dict(), "opt": {"state": {0: momentum}, "param_groups": groups}}
    found = unpack(pack(state).content)
    again.load_state_dict(found["net"])
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
        assert tensor.stride() == found["net"][name].stride()
    assert found["net"]._metadata == net.state_dict()._metadata
    assert found["opt"]["param_groups"] == groups
    assert torch.equal(found["opt"]["state"][0]["momentum_buffer"], momentum["momentum_buffer"])


words = st.text(st.characters(), max_size=5)
keys = words | st.integers() | st.tuples(words, st.booleans())
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=40)
@given(plain)
def test_plain_values_come_back_as_they_were(value):
    found = there_and_back(value)
    assert repr(found) == repr(value)


def test_generators_go_on_from_their_states():
    twister, mersenne = np.random.default_rng(3), random.Random(3)
    state = {"numpy": twister.bit_generator.state, "python": mersenne.getstate()}
    found = unpack(pack({**state, "torch": torch.get_rng_state()}).content)
    other, again = np.random.default_rng(4), random.Random(4)
    other.bit_generator.state = found["numpy"]
    again.setstate(found["python"])
    assert (other.random(), again.random()) == (twister.random(), mersenne.random())
    assert torch.equal(found["torch"], torch.get_rng_state())


@pytest.mark.parametrize(
    "given",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(10)[::-2],
        np.array([], dtype=">f4"),
        np.array(["a", "bcd"]),
        np.array("2020-02-02", dtype="M8[ns]"),
        np.float32(0.1),
        np.bool_(True),
        np.str_("text"),
    ],
    ids=str,
)
def test_arrays_and_their_scalars_come_back(given):
    found = there_and_back(given)
    assert type(found) is type(given) and found.dtype == given.dtype
    assert np.array_equal(found, given)
    if isinstance(given, np.ndarray):
        assert found.flags.f_contiguous == given.flags.f_contiguous or not given.flags.forc
        assert found.flags.writeable


def test_kinds_of_containers_are_kept():
    given = {"o": OrderedDict(b=1, a=2), "s": {1, 2}, "f": frozenset([3]), "z": torch.Size([1])}
    given |= {"d": torch.float16, "c": torch.device("cuda:0"), "b": bytearray(b"x")}
    found = unpack(pack(given).content)
    assert found == given and all(type(found[k]) is type(v) for k, v in given.items())
    assert list(found) == list(given) and list(found["o"]) == ["b", "a"]
    assert unpack(pack(MappingProxyType({"a": 1})).content) == {"a": 1}


def test_a_parameter_comes_back_as_one():
    found = there_and_back(torch.nn.Parameter(torch.ones(2), requires_grad=False))
    assert isinstance(found, torch.nn.Parameter) and not found.requires_grad


class Point(tuple):
    """A tuple of its own kind, which would come back as a plain one."""


HELD: list[object] = []
HELD.append(HELD)
REFUSED = {
    "a function": (len, r"state\['x'\] is a builtin_function_or_method; expected tensors, NumPy"),
    "a module": (torch.nn.Linear(1, 1), r"state\['x'\] is a Linear; .*give its state_dict\(\)"),
    "a tuple's kin": (Point((1,)), r"state\['x'\] is a Point"),
    "objects": (np.array([None]), r"state\['x'\] is an array of object; expected numbers"),
    "a mask": (np.ma.array([1]), r"state\['x'\] is a MaskedArray"),
    "on meta": (torch.ones(2, device="meta"), r"state\['x'\] is a tensor on the meta device"),
    "nested": ([{"deep": [1, object()]}], r"state\['x'\]\[0\]\['deep'\]\[1\] is a object"),
    "a key": ({W: 1}, r"state\['x'\] has a tensor as a key"),
    "itself": (HELD, r"nested more than 100 deep, or holds itself"),
}


@pytest.mark.parametrize(("value", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_kept_is_refused_by_its_name(value, words):
    with pytest.raises(StateError, match=words):
        pack({"x": value})


def test_tensors_without_their_memory_are_refused():
    empty, nested = torch.ones(4), torch.ones(4)
    empty.untyped_storage().resize_(0)
    with pytest.raises(StateError, match=r"memory cannot be read .16 bytes of which there are 0"):
        pack({"w": empty})
    with pytest.raises(StateError, match="give its dequantize"):
        pack({"w": torch.quantize_per_tensor(nested, 0.1, 0, torch.qint8)})


def test_no_damaged_byte_raises_anything_but_a_state_error():
    content = pack({"a": W.mT, "b": [1, {"c": (2.5, np.ones(2))}], "s": torch.eye(2).to_sparse()})
    raw = content.content
    for at in range(0, len(raw), 3):
        for damaged in (raw[:at], raw[:at] + bytes([raw[at] ^ 0x11]) + raw[at + 1 :]):
            try:
                unpack(damaged)
            except StateError as error:
                assert "no packed state" in str(error)


def test_states_of_earlier_versions_are_read():
    import safetensors.torch

    old = safetensors.torch.save({"w": torch.ones(2), "m": torch.zeros(1, dtype=torch.uint8)})
    assert torch.equal(Packed(old)["w"], torch.ones(2)) and set(Packed(old)) == {"w", "m"}
