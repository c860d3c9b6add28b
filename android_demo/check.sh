#!/usr/bin/env bash
# Checks libraries and app without an Android SDK, on any Linux with a Java 17 runtime, aapt2, Debian's android-framework-res and
# junit4:
#
#   check.sh KOTLINC ANDROID_JAR [OUT]
#
#   KOTLINC       the Kotlin compiler; kotlin-stdlib.jar lies beside it, or in ../lib as JetBrains ships it
#   ANDROID_JAR   android.jar, or stub classes of the public API (29 or later)
#   OUT           a folder that keeps what was compiled; a temporary one otherwise
#
# Each module is compiled by itself, against its own dependencies and no more: splitkit-core sees no Android class. ExecuTorch
# and LiteRT are checks/executorch-stub and checks/litert-stub, hand-written stubs of the signatures used. Manifest and
# resources are compiled and linked, the JVM tests, tools and the sample app compiled, the tests run.
# PRIPRO_CHECK_ONLY=compile stops before the tests. In a kept OUT a module whose inputs are the same is not compiled again.
set -euo pipefail
if [ $# -lt 2 ]; then
  sed -n '2,16s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
kotlinc=$1 android=$2
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ge 3 ]; then out=$3; mkdir -p "$out"; else out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
out=$(cd "$out" && pwd)
for file in "$kotlinc" "$android"; do
  [ -e "$file" ] || { echo "check.sh: $file does not exist" >&2; exit 2; }
done
kotlinc=$(realpath "$kotlinc") android=$(realpath "$android")
beside=$(dirname "$kotlinc")
stdlib=$beside/kotlin-stdlib.jar
[ -e "$stdlib" ] || stdlib=$beside/../lib/kotlin-stdlib.jar
[ -e "$stdlib" ] || { echo "check.sh: kotlin-stdlib.jar is neither in $beside nor in $beside/../lib" >&2; exit 2; }
junit=/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar
framework=${ANDROID_FRAMEWORK:-/usr/share/android-framework-res/framework-res.apk}
main=$here/app/src/main
# a compiler that runs once is done before the second JIT stage pays
quick="-XX:+UseSerialGC -XX:TieredStopAtLevel=1"

classpath() { local IFS=:; echo "$*"; }

compile() { # NAME "COMPILER OPTIONS" CLASSPATH SOURCES...: into OUT/NAME, unless it is there from the same inputs
  local name=$1 options=$2 path=$3 stamp dependency; shift 3
  stamp=$({
    echo "$options"
    cat "$@"
    for dependency in ${path//:/ }; do
      if [ -d "$dependency" ]; then cat "$dependency.stamp"; else stat -L -c '%n %s' "$dependency"; fi
    done
  } | sha256sum)
  if [ "$stamp" = "$(cat "$out/$name.stamp" 2>/dev/null)" ]; then return; fi
  echo "== $name"
  rm -rf "${out:?}/$name" "$out/$name.stamp"
  mkdir -p "$out/$name"
  # shellcheck disable=SC2086
  JAVA_TOOL_OPTIONS="$quick" "$kotlinc" -no-reflect -no-stdlib -jvm-target 1.8 -module-name "$name" $options -cp "$path" -d "$out/$name" "$@"
  echo "$stamp" > "$out/$name.stamp"
}

sources() { find "$@" -name '*.kt' | sort; }

api="-Xexplicit-api=strict"
core=$out/splitkit-core
compile splitkit-core "$api" "$stdlib" $(sources "$here/splitkit-core/src/main/kotlin")
compile executorch-stub -no-jdk "$(classpath "$android" "$stdlib")" $(sources "$here/checks/executorch-stub")
compile litert-stub -no-jdk "$(classpath "$android" "$stdlib")" $(sources "$here/checks/litert-stub")
compile splitkit-android "-no-jdk $api" "$(classpath "$core" "$android" "$stdlib")" $(sources "$here/splitkit-android/src/main/kotlin")
compile splitkit-executorch "-no-jdk $api" "$(classpath "$core" "$out/executorch-stub" "$android" "$stdlib")" \
  $(sources "$here/splitkit-executorch/src/main/kotlin")
compile splitkit-litert "-no-jdk $api" "$(classpath "$core" "$out/litert-stub" "$android" "$stdlib")" \
  $(sources "$here/splitkit-litert/src/main/kotlin")

echo "== resources and manifest"
rm -rf "$out/res.zip" "$out/gen"
mkdir -p "$out/gen"
aapt2 compile --dir "$main/res" -o "$out/res.zip"
# What Gradle's manifest merger would do: the package from build.gradle.kts, the id put in, what tools: says taken out. One
# attribute is newer than Debian's framework and is left out here; tests/unit/test_android_project.py looks at it.
package=$(sed -n 's/^ *namespace = "\(.*\)"/\1/p' "$here/app/build.gradle.kts")
sed "s|<manifest |<manifest package=\"$package\" |; s|\${applicationId}|$package|; /tools:node=\"remove\"/d; /android:dataExtractionRules=/d" \
  "$main/AndroidManifest.xml" > "$out/AndroidManifest.xml"
aapt2 link -I "$framework" --manifest "$out/AndroidManifest.xml" --min-sdk-version 26 --target-sdk-version 29 \
  --java "$out/gen" -o "$out/base.apk" "$out/res.zip"

modules=$(classpath "$out/splitkit-android" "$core" "$android" "$stdlib")
compile app -no-jdk "$modules" "$out/gen/${package//.//}/R.java" $(sources "$main/kotlin")
if [ -d "$here/sample" ]; then
  compile sample -no-jdk "$(classpath "$out/splitkit-executorch" "$out/splitkit-android" "$core" "$android" "$stdlib")" $(sources "$here/sample")
fi

compile core-tests "-Xfriend-paths=$core" "$(classpath "$core" "$stdlib" ${junit//:/ })" \
  $(sources "$here/splitkit-core/src/test/kotlin" "$here/splitkit-core/src/tools/kotlin")
compile app-tests "-Xfriend-paths=$out/app" "$(classpath "$out/app" "$core" "$stdlib" ${junit//:/ })" $(sources "$here/app/src/test/kotlin")
classpath "$out/core-tests" "$out/app-tests" "$out/app" "$core" "$stdlib" "$junit" > "$out/classpath"
[ "${PRIPRO_CHECK_ONLY:-}" != compile ] || exit 0

echo "== JVM tests"
tests=$(cd "$here" && for module in splitkit-core app; do
  (cd "$module/src/test/kotlin" && find . -name '*Test.kt' | sort | sed 's|^\./||; s|\.kt$||; s|/|.|g')
done)
cd "$here/splitkit-core"
java -Xmx512m -Dpripro.contract="${PRIPRO_CONTRACT:-$here/../tests/contract}" ${PRIPRO_JVM_OPTIONS:-} -cp "$(cat "$out/classpath")" \
  org.junit.runner.JUnitCore $tests
