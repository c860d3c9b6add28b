"""Run by tests/e2e/test_tail_ray.py in Ray's environment; writes what it saw to seen.json.

python tail_ray_run.py OLD.mar NEW.mar FEATURES.npy
"""

import http.client
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import ray
from ray import serve

from cloud_tail.archive import open_archive
from cloud_tail.client import TailClient
from cloud_tail.errors import BundleMismatch, TailError
from cloud_tail.ray_app import app


def main():
    old, new, features = sys.argv[1], sys.argv[2], np.load(sys.argv[3])
    signatures = [open_archive(Path(path)).signature for path in (old, new)]
    port = int(os.environ["RAY_SERVE_PORT"])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    started = time.monotonic()
    seen = {}

    def deploy(*archives):
        return serve.run(app({"archives": list(archives), "min_replicas": 2, "max_replicas": 2, "cpus": 0.5}))

    deploy(old)
    seen["start_s"] = time.monotonic() - started
    url = f"http://127.0.0.1:{port}"
    with TailClient(url, signature=signatures[0]) as client:
        seen["logits"] = {
            encoding: client.infer(features, encoding).tolist() for encoding in ("float32", "float16", "uint8", "coded")
        }
    seen["refused"] = {
        "body": post(port, b"short"),
        "message": post(port, b"\xff" * 30, **{"Pripro-Table-Id": signatures[0].coding.table_id}),
        "model": post(port, b"", "/predictions/none"),
    }
    with TailClient(url, signature=signatures[1]) as client:
        try:
            client.infer(features)
        except BundleMismatch as error:
            seen["mismatch"] = [error.expected, error.got]
    seen["kill"] = kill_one(url, signatures[0], features, np.array(seen["logits"]["float32"]))
    seen["update"] = update(lambda: deploy(old, new), url, signatures, features)
    Path("seen.json").write_text(json.dumps(seen))
    serve.shutdown()
    ray.shutdown()


def post(port, body, path="/predictions/tail", **headers):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    link.request("POST", path, body, {"Content-Type": "application/octet-stream", **headers})
    status = link.getresponse().status
    link.close()
    return status


class Load:
    """Four clients of one bundle that go on until told to stop, counting."""

    def __init__(self, url, signature, features, wanted):
        self.good, self.wrong, self.errors = 0, 0, []
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(url, signature, features, wanted)) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def run(self, url, signature, features, wanted):
        with TailClient(url, signature=signature) as client:
            while not self.stop.is_set():
                try:
                    close = bool(np.abs(client.infer(features) - wanted).max() <= 1e-5)
                    with self.lock:
                        self.good += close
                        self.wrong += not close
                except TailError as error:
                    with self.lock:
                        self.errors.append(str(error)[:160])

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        return {"good": self.good, "wrong": self.wrong, "errors": len(self.errors), "first_errors": self.errors[:3]}


def replica_pids():
    """Replicas among this process's own descendants."""
    parents, titles = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                titles[int(folder.name)] = (folder / "cmdline").read_text()
            except OSError:
                continue

    def ours(pid):
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()

    return [pid for pid, title in titles.items() if "ServeReplica" in title and ours(pid)]


def kill_one(url, signature, features, wanted):
    load = Load(url, signature, features, wanted)
    time.sleep(2)
    before = load.good
    pids = replica_pids()
    os.kill(pids[0], signal.SIGKILL)
    time.sleep(6)
    errors_then = len(load.errors)
    after = load.good
    time.sleep(2)
    told = load.end()
    return {
        **told,
        "replicas": len(pids),
        "good_before": before,
        "good_after": after - before,
        "late_errors": len(load.errors) - errors_then,
    }


def update(deploy, url, signatures, features):
    """The new bundle beside the old one, under load of the old one's phones."""
    with TailClient(url, signature=signatures[0]) as client:
        wanted = client.infer(features)
    load = Load(url, signatures[0], features, wanted)
    deploy()
    with TailClient(url, signature=signatures[1]) as client:
        new = client.infer(features).tolist()
    time.sleep(1)
    return {**load.end(), "new_logits": new}


if __name__ == "__main__":
    main()
