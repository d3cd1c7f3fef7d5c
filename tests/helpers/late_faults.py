"""Plug-ins that load, and whose code fails or returns what is of no use once a run calls it."""

from __future__ import annotations

from tests.helpers.plugins import BLOBS, EXPERIMENT, NET

# what a plug-in's attack returns -> what the message says that it returned
ATTACK_RETURNS = {
    "None": "NoneType", "'an image'": "str", "3": "int", "[x]": "list", "x[0]": "(1, 8, 8)", "x[:, :, :4]": "(1, 1, 4, 8)",
    "x.numpy()": "ndarray", "x.flatten(1)": "(1, 64)", "(x * 255).round().int()": "int32", "x > 0.5": "bool",
    "x.to(torch.complex64)": "complex64", "(x, y)": "tuple", "x.to_sparse()": "sparse", "x.to('meta')": "has no values",
}  # fmt: skip
# what a plug-in's loader returns -> words of the message
LOADER_RETURNS = {
    "x, y, 2": ["class names must be a list with a name for each class", "2 (int)"],
    "x, y, None": ["class names must be a list", "None (NoneType)"],
    "x, y, 'ab'": ["class names must be a list", "'ab' (str)"],
    "x, y, {0: 'a', 1: 'b'}": ["class names must be a list", "(dict)"],
    "x, y, [None, 'b']": ["class names must be text", "None (NoneType)"],
    "x, y, ['a', ['b']]": ["class names must be text", "['b'] (list)"],
    "x, y, ['a', 'a']": ["class names must differ", "'a' is there 2 times"],
    "x, y, []": ["class names must be a list", "got none"],
    "x, y": ["must return (images, labels, class names)"],
    "x, y + 5, ['a', 'b']": ["label", "blobs"],
    "x * 300, y, ['a', 'b']": ["floats in [0, 1]"],
    "'images', y, ['a', 'b']": ["images must be"],
    "x, y, {'a', 'b'}": ["class names must be a list", "(set)"],
    "(x > 0).astype(str), y, ['a', 'b']": ["images must be uint8, or floats in [0, 1], got <U"],
    "x.astype(complex), y, ['a', 'b']": ["images must be uint8, or floats in [0, 1], got complex128"],
}
# the body of a plug-in's measure -> words of the message, for what is a fault of what the user typed
REFUSALS = {
    "raise ArgumentError('count must be even')": ["count must be even"],
    "raise ConfigError('experiment.count=3: type an even number')": ["experiment.count=3: type an even number"],
    "raise DataError('the file odd.csv is missing')": ["odd.csv is missing"],
    "raise ModelError('weights for 3 are missing')": ["weights for 3 are missing"],
    "raise MeasurementError('nothing qualifies')": ["nothing qualifies"],
    "raise ArgumentError('lone \\udcff surrogate')": ["lone ", "surrogate"],
}
# the body of a plug-in's measure -> the class that its traceback names: a bug, or what would end the program
DEFECTS = {
    "raise SystemExit(0)": "SystemExit",
    "import sys; sys.exit('bye')": "SystemExit",
    "raise GeneratorExit": "GeneratorExit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise type('Stop', (KeyboardInterrupt,), {})()": "Stop",
    "raise type('Odd', (BaseException,), {})('odd')": "Odd",
    "raise ValueError('lone \\udcff surrogate')": "ValueError",
    "ctx.keep_file('a.png', b'x'); return []": "ValueError: the cells n-0 and n-1 both keep a file a.png",
    "ctx.keep_file('../a.png', b'x')": "ValueError: '../a.png' is no name of a kept file",
    "return None": "TypeError: squares.measure must return a list of Line, the cell n-0 gave NoneType",
    "return [3]": "TypeError: squares.measure must return a list of Line, the cell n-0 gave a list with int",
    "return Line(3, 9.0)": "TypeError: squares.measure must return a list of Line, the cell n-0 gave Line",
}


def attack(returned: str) -> str:
    """A plug-in whose attack `late` returns an expression of its images x and labels y."""
    return f"import torch\n@advlab.attack('late')\ndef late(model, x, y):\n    '''Late.'''\n    return {returned}\n"


def loader(returned: str) -> str:
    """The plug-in dataset `blobs`, whose loader returns an expression of its images x and labels y."""
    return f"{BLOBS.partition('    return x, y')[0]}    return {returned}\n"


def measure(body: str) -> str:
    """The plug-in experiment `squares`, whose measure has another body."""
    errors = "from advlab.errors import ArgumentError, ConfigError, DataError, MeasurementError, ModelError\n"
    before = 'return [Line(cell.payload["i"], float(cell.payload["i"] ** 2))]'
    assert before in EXPERIMENT
    return errors + EXPERIMENT.replace(before, body)


#: the plug-in model `tiny_net`, whose text may stand behind other imports
NETWORK = NET.replace("from __future__ import annotations\n", "").replace(" -> nn.Module", "")
