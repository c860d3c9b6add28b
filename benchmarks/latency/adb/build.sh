#!/bin/sh
# Builds into DIR: adbd, the real device daemon, from Debian's source of the Android platform tools, for Linux; and
# executor_runner against the installed ExecuTorch wheel.
#   sh benchmarks/latency/adb/build.sh DIR
# Needs Debian's sources in the deb822 format (or SOURCES=FILE), clang++ (or CLANG=...), and: apt-get install
# android-libbase-dev android-libcutils-dev android-liblog-dev android-libboringssl-dev libcap-dev
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
dir=$(cd "$1" && pwd)
clang=${CLANG:-clang++}
wheel=$("$root/.venv/bin/python" -c 'import executorch, pathlib; print(pathlib.Path(executorch.__path__[0]))')

cd "$dir"
if [ ! -d src ]; then
  # this machine's own Debian sources, asked for source packages
  mkdir -p sources.d
  sed 's/^Types: .*/Types: deb-src/' "${SOURCES:-/etc/apt/sources.list.d/debian.sources}" >sources.d/debian.sources
  apt="apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$dir/sources.d -o Dir::State::lists=$dir/lists -o Dir::Cache=$dir/cache"
  $apt update
  $apt source --download-only android-platform-tools
  tar xzf android-platform-tools_*.orig.tar.gz
  tar xJf android-platform-tools_*.debian.tar.xz
  mv android-platform-tools-*/ src
  (cd src && for p in $(grep -v '^#' ../debian/patches/series); do patch -s -p1 -N <../debian/patches/"$p"; done)
fi
make -C src -f "$here/adbd.mk" -j"$(nproc)" CXX="$clang" adbd
cp src/adbd adbd
g++ -std=c++17 -O2 -w -DC10_USING_CUSTOM_GENERATED_MACROS -I"$wheel/include" \
  -I"$wheel/include/executorch/runtime/core/portable_type/c10" "$here/executor_runner.cpp" -L"$wheel/lib" \
  -Wl,--no-as-needed -lexecutorch -lexecutorch_kernels_optimized -lexecutorch_kernels_quantized \
  -lexecutorch_backend_xnnpack -lexecutorch_threadpool -Wl,-rpath,"$wheel/lib" -o executor_runner
echo "$dir/adbd $dir/executor_runner"
