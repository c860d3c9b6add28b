"""Our Ray Serve application with one replica: python ray_serve.py PORT BENCH.mar."""

import sys
import time

import ray
from ray import serve

from cloud_tail.ray_app import app

if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(app({"archives": sys.argv[2]}))
    time.sleep(3600)
