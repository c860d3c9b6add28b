#!/usr/bin/env bash
# Checks the app without an Android SDK, on any Linux with a Java 17 runtime, aapt2, Debian's android-framework-res and junit4:
#
#   check.sh KOTLINC ANDROID_JAR EXECUTORCH_JAR [OUT]
#
#   KOTLINC          the Kotlin compiler; kotlin-stdlib.jar lies beside it, or in ../lib as JetBrains ships it
#   ANDROID_JAR      android.jar, or stub classes of the public API (29 or later)
#   EXECUTORCH_JAR   the classes of org.pytorch:executorch-android (classes.jar inside its .aar)
#   OUT              a folder that keeps what was compiled; a temporary one otherwise
#
# It compiles all Kotlin of the app (LiteRT against checks/litert-stub, which is a stub), compiles and links manifest and
# resources, compiles the JVM tests and tools, and runs those tests. PRIPRO_CHECK_ONLY=compile stops before the tests.
set -euo pipefail
if [ $# -lt 3 ]; then
  sed -n '2,14s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
kotlinc=$1 android=$2 executorch=$3
here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ge 4 ]; then out=$4; mkdir -p "$out"; else out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
out=$(cd "$out" && pwd)
for file in "$kotlinc" "$android" "$executorch"; do
  [ -e "$file" ] || { echo "check.sh: $file does not exist" >&2; exit 2; }
done
kotlinc=$(realpath "$kotlinc") android=$(realpath "$android") executorch=$(realpath "$executorch")
beside=$(dirname "$kotlinc")
stdlib=$beside/kotlin-stdlib.jar
[ -e "$stdlib" ] || stdlib=$beside/../lib/kotlin-stdlib.jar
[ -e "$stdlib" ] || { echo "check.sh: kotlin-stdlib.jar is neither in $beside nor in $beside/../lib" >&2; exit 2; }
junit=/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar
framework=${ANDROID_FRAMEWORK:-/usr/share/android-framework-res/framework-res.apk}
main=$here/app/src/main
# a compiler that runs once is done before the second JIT stage pays
quick="-XX:+UseSerialGC -XX:TieredStopAtLevel=1"

echo "== resources and manifest"
rm -rf "$out/res.zip" "$out/gen" "$out/app" "$out/test"
mkdir -p "$out/gen" "$out/app" "$out/test"
aapt2 compile --dir "$main/res" -o "$out/res.zip"
# Gradle takes the package from build.gradle.kts, aapt2 from the manifest
package=$(sed -n 's/^ *namespace = "\(.*\)"/\1/p' "$here/app/build.gradle.kts")
sed "s|<manifest |<manifest package=\"$package\" |" "$main/AndroidManifest.xml" > "$out/AndroidManifest.xml"
aapt2 link -I "$framework" --manifest "$out/AndroidManifest.xml" --min-sdk-version 26 --target-sdk-version 29 \
  --java "$out/gen" -o "$out/base.apk" "$out/res.zip"

echo "== Kotlin of the app"
JAVA_TOOL_OPTIONS="$quick" "$kotlinc" -no-jdk -no-stdlib -no-reflect -jvm-target 1.8 -cp "$android:$executorch:$stdlib" -d "$out/app" \
  "$out/gen/${package//.//}/R.java" $(find "$main/kotlin" "$here/checks/litert-stub" -name '*.kt' | sort)

echo "== Kotlin of the JVM tests and tools"
JAVA_TOOL_OPTIONS="$quick" "$kotlinc" -no-stdlib -no-reflect -jvm-target 1.8 -Xfriend-paths="$out/app" -cp "$out/app:$stdlib:$junit" -d "$out/test" \
  $(find "$here/app/src/test/kotlin" "$here/app/src/tools/kotlin" -name '*.kt' | sort)
echo "$out/test:$out/app:$stdlib:$junit" > "$out/classpath"
[ "${PRIPRO_CHECK_ONLY:-}" != compile ] || exit 0

echo "== JVM tests"
tests=$(cd "$here/app/src/test/kotlin" && find . -name '*Test.kt' | sort | sed 's|^\./||; s|\.kt$||; s|/|.|g')
cd "$here/app"
java -Xmx512m -Dpripro.contract="${PRIPRO_CONTRACT:-$here/../tests/contract}" ${PRIPRO_JVM_OPTIONS:-} -cp "$(cat "$out/classpath")" \
  org.junit.runner.JUnitCore $tests
