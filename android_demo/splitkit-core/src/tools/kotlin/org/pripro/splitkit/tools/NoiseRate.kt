package org.pripro.splitkit.tools

import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.noise.EpsSource

/**
 * How fast noise is drawn on one thread of this JVM, as JSON: the figure behind the claim in the README.
 *
 *     java -cp ... org.pripro.splitkit.tools.NoiseRateKt [VALUES]      (100352 by default: 401 KB of eps)
 */
fun main(arguments: Array<String>) {
    val values = arguments.firstOrNull()?.toInt() ?: 100_352
    val source = EpsSource(values)
    repeat(200) { source.draw() }
    val milliseconds = List(101) {
        val start = System.nanoTime()
        source.draw()
        (System.nanoTime() - start) / 1e6
    }.sorted()
    val median = milliseconds[milliseconds.size / 2]
    println(CanonicalJson.write(mapOf("values" to values, "median_ms" to median, "million_per_s" to values / median / 1e3)))
}
