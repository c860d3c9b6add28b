"""The tail on Ray Serve, for many nodes; on one node this project's own server is faster and smaller.

    serve run cloud_tail.ray_app:app archives=/models/x.mar max_replicas=8

benchmarks/serving has the figures. Rolling update to a new bundle: redeploy with `archives=old.mar,new.mar`.
Replicas are replaced or reconfigured one after the other and each bundle answers its own phones; redeploy without
the old one when no phone uses it any more.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ray import serve
from starlette.responses import Response

from .archive import open_archive
from .calls import infer_target, read_call, refusal
from .engine import load_engine
from .errors import TailError, WireError
from .registry import refuse_doubles

if TYPE_CHECKING:
    from ray.serve import Application
    from starlette.requests import Request

    from .engine import Engine
    from .signature import Signature
    from .wire import Floats

_MAX_BODY = 16 << 20


class Loaded:
    """One archive and its engine."""

    def __init__(self, path: str, engine: str, precision: str) -> None:
        archive = open_archive(Path(path))
        self.archive = archive
        self.signature: Signature = archive.signature
        self.engine: Engine = load_engine(archive, engine=engine, precision=precision)

    def check(self) -> None:
        """Run one item of zeros; raises what the engine raises."""
        self.engine.run(np.zeros((1, *self.signature.inputs[0].shape[1:]), np.float32))


@serve.deployment(health_check_period_s=5, health_check_timeout_s=10, graceful_shutdown_wait_loop_s=0.5)
class Tail:
    """One replica: all archives, one engine thread."""

    def __init__(self) -> None:
        self._loaded: list[Loaded] = []

    def reconfigure(self, config: dict[str, Any]) -> None:
        """Load the archives in the configuration; loaded ones stay, and requests are answered meanwhile."""
        there = {loaded.archive.digest: loaded for loaded in self._loaded}
        fresh = [Loaded(path, config["engine"], config["precision"]) for path in config["archives"]]
        refuse_doubles([loaded.archive for loaded in fresh])
        self._loaded = [there.get(loaded.archive.digest, loaded) for loaded in fresh]

    def check_health(self) -> None:
        """Run every engine once; Ray replaces a replica that raises here."""
        for loaded in self._loaded:
            loaded.check()

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.0)  # type: ignore[untyped-decorator]
    async def forward(self, work: list[tuple[Floats, Loaded]]) -> list[Floats]:
        """Run a batch; calls for different bundles run separately."""
        answers: list[Any] = [None] * len(work)
        for loaded in {id(tail): tail for _, tail in work}.values():
            places = [index for index, (_, tail) in enumerate(work) if tail is loaded]
            parts = [work[index][0] for index in places]
            logits = await asyncio.to_thread(loaded.engine.run, np.concatenate(parts))
            ends = np.cumsum([len(part) for part in parts])[:-1]
            for index, answer in zip(places, np.split(logits, ends), strict=True):
                answers[index] = answer
        return answers

    async def __call__(self, request: Request) -> Response:
        """Answer /ping, /v2/health, /predictions/NAME and /v2/models/NAME/infer."""
        path = tuple(request.url.path.strip("/").split("/"))
        if path == ("ping",) or path[:2] == ("v2", "health"):
            return Response(b'{"status":"Healthy"}', media_type="application/json")
        target = infer_target(path)
        tails = [] if target is None else self._named(*target)
        if not tails or request.method != "POST":
            return Response(b'{"error":"This server has no such model or path."}', 404, media_type="application/json")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MAX_BODY:
                return Response(b'{"error":"The body is too long."}', 413, media_type="application/json")
        try:
            call, loaded = read_call(dict(request.headers), body, tails, raw=path[0] == "predictions")
            features = await asyncio.to_thread(call.features)  # entropy-coded ones take their time
            headers, answer = call.answer(await self.forward((features, loaded)))
        except WireError as error:
            status, text = refusal(error)
            return Response(text, status, media_type="application/json")
        return Response(answer, 200, headers)

    def _named(self, name: str, version: str) -> list[Loaded]:
        return [
            loaded
            for loaded in self._loaded
            if loaded.signature.name == name and version in ("", loaded.signature.version)
        ]


def app(arguments: dict[str, Any]) -> Application:
    """Build the application.

    Args:
        arguments: `archives` (paths on every node, a list or separated by commas), `engine`, `precision`,
            `min_replicas` and `max_replicas` of the autoscaler, `queue` (requests that may wait; more get 503).

    Raises:
        TailError: there is no archive, or one cannot be read here.
    """
    archives = arguments.get("archives") or []
    paths = archives.split(",") if isinstance(archives, str) else list(archives)
    if not paths:
        raise TailError("There is nothing to serve; give archives=/path/x.mar.")
    refuse_doubles([open_archive(Path(path)) for path in paths])
    least = int(arguments.get("min_replicas", 1))
    deployment: Any = Tail  # the decorator has made a Deployment of the class
    bound: Application = deployment.options(
        user_config={
            "archives": paths,
            "engine": arguments.get("engine", "onnxruntime"),
            "precision": arguments.get("precision", "f32"),
        },
        autoscaling_config={
            "min_replicas": least,
            "max_replicas": int(arguments.get("max_replicas", max(least, 1))),
            "target_ongoing_requests": 8,
        },
        max_ongoing_requests=32,
        max_queued_requests=int(arguments.get("queue", 64)),
        ray_actor_options={"num_cpus": float(arguments.get("cpus", 1))},
    ).bind()
    return bound
