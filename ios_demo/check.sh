#!/usr/bin/env bash
# Checks without a Mac what Apple's tools would build: check.sh [OUT]
#
#   OUT   a folder that keeps the stub modules; a temporary one otherwise
#
# Every Swift file is parsed; SplitKit (its Apple branches), SplitKitCoreML, SplitKitCoreAI, SplitKitExecuTorch, splitkit-parity, the app and the sample are type-checked
# against checks/stubs, hand-made modules of the signatures used; the public API is compared with SplitKit/api, the documentation
# compiled (its links, and every parameter), the project file, its plists and the scheme linted.
# Needs Swift 6 (PRIPRO_SWIFT names the folder of its programs if they are not on PATH) and Python 3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if [ -n "${PRIPRO_SWIFT:-}" ]; then PATH=$PRIPRO_SWIFT:$PATH; fi
command -v swiftc > /dev/null || { echo "check.sh: swiftc is not on PATH; install Swift 6 from swift.org or set PRIPRO_SWIFT" >&2; exit 2; }
if [ $# -ge 1 ]; then out=$1; mkdir -p "$out"; else out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
out=$(cd "$out" && pwd)
app=$here/App/SplitDemo
flags=(-swift-version 6 -warnings-as-errors -I "$out" -module-cache-path "$out/cache")

echo "== parse"
find "$here/SplitKit/Sources" "$here/SplitKit/Tests" "$app" "$here/checks/stubs" "$here/sample" -name '*.swift' -print0 | sort -z |
  xargs -0 -n 1 swiftc -frontend -parse

emit() { # MODULE FILES...: type-checks and keeps the module's interface
  local module=$1; shift
  swiftc "${flags[@]}" -emit-module -module-name "$module" -emit-module-path "$out/$module.swiftmodule" -parse-as-library "$@"
}

echo "== stubs"
for module in ObjectiveC CoreGraphics CryptoKit Security UIKit SwiftUI PhotosUI CoreML CoreAI ExecuTorch CoreVideo AVFoundation Darwin; do
  file=$here/checks/stubs/$module.swift
  if [ ! "$out/$module.swiftmodule" -nt "$file" ]; then emit "$module" "$file"; fi
done

echo "== type-check"
emit SplitKit $(find "$here/SplitKit/Sources/SplitKit" -name '*.swift' | sort)
emit SplitKitCoreML $(find "$here/SplitKit/Sources/SplitKitCoreML" -name '*.swift' | sort)
emit SplitKitCoreAI $(find "$here/SplitKit/Sources/SplitKitCoreAI" -name '*.swift' | sort)
emit SplitKitExecuTorch $(find "$here/SplitKit/Sources/SplitKitExecuTorch" -name '*.swift' | sort)
swiftc "${flags[@]}" -typecheck $(find "$here/SplitKit/Sources/splitkit-parity" -name '*.swift' | sort)
swiftc "${flags[@]}" -typecheck -parse-as-library -module-name SplitDemo $(find "$app" "$here/SplitKit/Sources/SplitKitExecuTorch" -name '*.swift' | sort)
swiftc "${flags[@]}" -typecheck -parse-as-library -module-name Sample $(find "$here/sample" -name '*.swift' | sort)

echo "== api"
python3 "$here/checks/dump_api.py" "$out"

if command -v docc > /dev/null; then
  echo "== docs"
  graphs=$(mktemp -d)
  swift-symbolgraph-extract -module-name SplitKit -I "$out" -target "$(swiftc -print-target-info | sed -n 's/^ *"triple": "\(.*\)",/\1/p' | head -1)" \
    -output-dir "$graphs" -minimum-access-level public -skip-synthesized-members -module-cache-path "$out/cache"
  docc convert "$here/SplitKit/Sources/SplitKit/SplitKit.docc" --fallback-display-name SplitKit --fallback-bundle-identifier org.pripro.SplitKit \
    --additional-symbol-graph-dir "$graphs" --output-path "$out/docs" --warnings-as-errors
  rm -rf "$graphs"
fi

echo "== project"
python3 "$here/checks/lint_project.py"
echo "everything fits"
