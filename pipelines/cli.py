"""The command ``yaff``. Only this table is imported before a command is chosen: ``yaff --help`` answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from yaff.errors import YaffError


@dataclass(frozen=True)
class Command:
    """One command: where it lives and what it is for."""

    module: str
    """Module with ``run(arguments: list[str]) -> int``."""
    summary: str


COMMANDS: dict[str, Command] = {
    "build": Command("pipelines.commands.build", "the whole way: objects, grasps, scenes, shards, report"),
    "search": Command("pipelines.commands.search", "search grasps of objects into a library"),
    "import": Command("pipelines.commands.import_", "bring published grasps into a library, measured and verified"),
    "project": Command("pipelines.commands.project", "annotate the frames of a dataset with a library"),
    "export": Command("pipelines.commands.export", "write a dataset as YCB-Affordance, WebDataset or Croissant"),
    "verify": Command("pipelines.commands.verify", "check a library or a folder of shards"),
    "review": Command("pipelines.commands.review", "export, count or import what people decided"),
    "annotate": Command("pipelines.commands.annotate", "serve the review of a library to browsers"),
    "train": Command("pipelines.commands.train", "train a model on a folder of shards"),
    "evaluate": Command("pipelines.commands.evaluate", "judge a trained model beside baselines"),
    "predict": Command("pipelines.commands.predict", "predict grasps of a frame or an object, and draw them"),
    "validate": Command("pipelines.commands.validate", "judge a dataset's own grasps, and corrupted copies of them"),
    "show": Command("pipelines.commands.show", "draw a grasp, a sheet of grasps, or an annotated frame"),
    "view": Command("pipelines.commands.view", "look at a library or at shards in the browser"),
    "migrate": Command("pipelines.commands.migrate", "bring a dataset of an earlier version to this one"),
    "stats": Command("pipelines.commands.stats", "count what a library or a folder of shards holds"),
    "hand": Command("pipelines.commands.hand", "show or export the hand"),
    "assets": Command("pipelines.commands.assets", "install, list and verify the scanned meshes"),
    "objects": Command("pipelines.commands.objects", "show the objects, add and remove your own"),
    "doctor": Command("pipelines.commands.doctor", "check this machine and say how to mend what is missing"),
    "completion": Command("pipelines.commands.completion", "print a script that completes commands in your shell"),
}

DONE, CHECK_FAILED, COULD_NOT = 0, 1, 2
"""Exit status: done; done, but a check that was asked for failed; could not."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments`` (default: those of the process) and return its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return DONE if words else COULD_NOT
    if words[0] == "--version":
        from yaff._version import __version__

        sys.stdout.write(f"yaff {__version__}\n")
        return DONE
    if words[0] not in COMMANDS:
        import difflib

        close = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        sys.stderr.write(f"yaff: no command {words[0]!r}\n  remedy: {hint}commands: {', '.join(COMMANDS)}\n")
        return COULD_NOT
    try:
        return import_module(COMMANDS[words[0]].module).run(words[1:])
    except YaffError as error:
        sys.stderr.write(f"yaff {words[0]}: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write(f"yaff {words[0]}: interrupted; the same command goes on from here\n")
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has enough
        sys.stderr.close()
        return DONE
    return COULD_NOT


def overview() -> str:
    """What ``yaff --help`` says."""
    width = max(map(len, COMMANDS)) + 2
    lines = [f"    {name:{width}}{command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: yaff COMMAND [OPTIONS]",
            "",
            "Datasets of human grasp affordances: searched, proven by physics, reviewed by people, in every frame.",
            "",
            "Usage:",
            "    yaff doctor",
            "    yaff build demo",
            "    yaff build ycb_video --dataset.root DIR",
            "",
            "commands:",
            *lines,
            "",
            "yaff COMMAND --help tells more, with an example. yaff --version prints the version.",
            "Exit status: 0 done, 1 done but a check failed, 2 could not.",
            "",
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
