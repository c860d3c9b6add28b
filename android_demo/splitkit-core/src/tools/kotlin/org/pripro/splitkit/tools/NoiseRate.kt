package org.pripro.splitkit.tools

import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.noise.EpsSource
import java.lang.management.ManagementFactory

/**
 * How fast noise is drawn on one thread of this JVM, as JSON: the figure behind the claim in the README. It counts the
 * thread's CPU time, not wall-clock time: on a busy machine they differ.
 *
 *     java -cp ... org.pripro.splitkit.tools.NoiseRateKt [VALUES]      (100352 by default: 401 KB of eps)
 */
fun main(arguments: Array<String>) {
    val values = arguments.firstOrNull()?.toInt() ?: 100_352
    val source = EpsSource(values)
    val image = FloatArray(1)
    val thread = ManagementFactory.getThreadMXBean()
    repeat(200) { source.draw(image) }
    val milliseconds = List(101) {
        val start = thread.currentThreadCpuTime
        source.draw(image)
        (thread.currentThreadCpuTime - start) / 1e6
    }.sorted()
    val median = milliseconds[milliseconds.size / 2]
    println(CanonicalJson.write(mapOf("values" to values, "cpu_median_ms" to median, "million_per_cpu_s" to values / median / 1e3)))
}
