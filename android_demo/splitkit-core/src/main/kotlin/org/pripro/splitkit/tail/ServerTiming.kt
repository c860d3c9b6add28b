package org.pripro.splitkit.tail

/** The W3C Server-Timing header, by which a tail may say how long it worked itself. */
internal object ServerTiming {
    private val DURATION = Regex("""(?:^|[;,\s])dur=([0-9]+(?:\.[0-9]+)?)""")

    /** Sum of all durations in milliseconds, or null where the header is absent or gives none. */
    fun milliseconds(header: String?): Double? {
        val found = DURATION.findAll(header ?: return null).map { it.groupValues[1].toDouble() }.toList()
        return if (found.isEmpty()) null else found.sum()
    }
}
