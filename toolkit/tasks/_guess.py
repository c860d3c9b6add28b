"""Which task a network has: by name, or guessed from what it answers."""

from __future__ import annotations

from .. import plugins, tasks
from ..errors import InputError
from ..records.bundle import Manifest
from ..records.bundle import Task as TaskRecord
from .base import Facts, Task

AUTO = "auto"


def task_class(name: str) -> type[Task]:
    """Find a task by its name.

    Raises:
        UnknownNameError: lists the tasks that exist.
    """
    return plugins.load(tasks, "task", name, Task)  # type: ignore[type-abstract]


def task_of(manifest: Manifest) -> Task:
    """The task that a manifest records, for the outputs that it records."""
    shapes = [tuple(output.shape[1:]) for output in manifest.split.outputs]
    return task_class(manifest.task.name)(manifest.task.settings, shapes)


def choose(name: str, facts: Facts) -> TaskRecord:
    """Take the task of that name, or for "auto" the one that fits best.

    Raises:
        UnknownNameError: no such task.
        InputError: the network's answers are not of the form that this task needs.
    """
    guessed = name == AUTO
    if not guessed:
        kind = task_class(name)
        if kind.fits(facts) == 0.0 and not _could(name, facts):
            shapes = ", ".join(f"{one.name} [B,{','.join(map(str, one.shape))}]" for one in facts.outputs)
            raise InputError(f"--task {name} does not fit a network that answers with {shapes}; try --task any.")
    else:
        known = plugins.names(tasks)
        name = max(known, key=lambda one: task_class(one).fits(facts))
        kind = task_class(name)
    settings = {**kind.settings, **kind.settings_for(facts)}
    metric = kind.metric if kind.uses_labels else kind.agreement
    return TaskRecord(name=name, metric=metric, guessed=guessed, settings=settings)


def _could(name: str, facts: Facts) -> bool:
    """Whether a person may mean a task that would not be guessed: by the form of the first output alone."""
    axes = len(facts.outputs[0].shape)
    forms = {"classify": (1,), "multilabel": (1,), "embed": (1,), "segment": (3,), "heatmaps": (3,)}
    return axes in forms.get(name, (axes,)) and not (name == "classify" and facts.outputs[0].shape[0] < 2)
