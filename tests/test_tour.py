"""`python -m diffeo`: every section appears, and the exit code says whether all is right."""

import pytest

from diffeo.__main__ import main


def test_tour(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    for words in (
        "lambda a:f64[]~:\n    b:f64[]~ = sin a",
        '"stablehlo.cosine"',
        "217    64 -2951",
        "device   cpu:0",
        "epoch  40 of 40",
        "test accuracy 9",
        "trace ",
        "compile ",
        "median of 440",
    ):
        assert words in printed, words
    assert max(map(len, printed.splitlines())) <= 80


def test_exit_code_of_a_bad_result(capsys):
    assert main(["--epochs", "1", "--hidden", "4"]) == 1
    assert "error: the test accuracy is" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--hidden", "x"]])
def test_bad_options(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "invalid" in capsys.readouterr().err


def test_help(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert all(option in printed for option in ("--seed", "--epochs", "--hidden"))
