#!/bin/sh
# Builds the environments that the serving tests and benchmarks compare: one venv each, because
# TorchServe, LitServe, Ray and tritonclient pin packages against each other (and against ours).
#
#   benchmarks/serving/setup.sh [torchserve|litserve|ray|asgi|clients|tail|fuzz ...]     default: all of them
#
# They land in build/venvs/NAME (or $PRIPRO_VENVS/NAME); one that is complete is left alone.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
venvs=${PRIPRO_VENVS:-$root/build/venvs}
python=${PYTHON:-python3.11}

packages() {
    case $1 in
        torchserve) echo "torch==2.13.0 torchserve==0.12.0 torch-model-archiver==0.12.0 onnxruntime==1.32.0 numpy==2.4.6 pyyaml psutil packaging pillow setuptools<81" ;;
        litserve) echo "torch==2.13.0 litserve==0.2.19 python-multipart onnxruntime==1.32.0 numpy==2.4.6 psutil" ;;
        ray) echo "ray[serve]==2.60.0 onnxruntime==1.32.0 numpy==2.4.6 grpcio httptools" ;;
        asgi) echo "uvicorn==0.54.0 granian==2.8.9 uvloop==0.23.0 httptools==0.9.0 onnxruntime==1.32.0 numpy==2.4.6 prometheus_client" ;;
        clients) echo "tritonclient[http,grpc]==2.73.0 numpy psutil" ;;
        tail) echo "pripro-toolkit[tail]" ;;
        fuzz) echo "schemathesis==4.32.5 atheris==3.0.0 numpy" ;;
        *) echo "setup.sh knows torchserve, litserve, ray, asgi, clients, tail and fuzz, not '$1'" >&2; exit 2 ;;
    esac
}

# The project itself, from a copy: building in place would leave files in the checkout.
install_tail() {
    copy=$(mktemp -d)
    for part in pyproject.toml README.md LICENSE cloud_tail toolkit converters; do
        if [ -e "$root/$part" ]; then cp -r "$root/$part" "$copy/"; fi
    done
    "$1/bin/pip" install --quiet --disable-pip-version-check --force-reinstall ${2:-} "$copy[tail]"
    rm -rf "$copy"
}

[ $# -gt 0 ] || set -- torchserve litserve ray asgi clients tail fuzz
for name in "$@"; do
    wanted=$(packages "$name")
    home=$venvs/$name
    if [ -f "$home/.complete" ] && [ "$(cat "$home/.complete")" = "$wanted" ]; then
        if [ "$name" = tail ]; then install_tail "$home" --no-deps; fi  # the checkout as it is now
        continue
    fi
    rm -rf "$home"
    "$python" -m venv "$home"
    if [ "$name" = tail ]; then
        install_tail "$home"
    else
        # shellcheck disable=SC2086  # a list of requirements, on purpose
        "$home/bin/pip" install --quiet --disable-pip-version-check $wanted
    fi
    echo "$wanted" > "$home/.complete"
done
