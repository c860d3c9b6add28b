package org.pripro.splitkit.bundle

import java.math.BigDecimal
import java.math.RoundingMode

/**
 * Writes JSON by the rules of tests/contract/README.md, so that Python, Kotlin and Swift write the same bytes:
 * one line, no blanks, keys in the order given, at most six decimals and never an exponent.
 */
internal object CanonicalJson {
    /**
     * @param value null, Boolean, String, Int, Long, Double, List or Map.
     * @throws IllegalArgumentException for a number that is not finite or a value of another type.
     */
    fun write(value: Any?): String = StringBuilder().also { append(it, value) }.toString()

    /** The double's exact value rounded to six decimals, half to even, without trailing zeros. */
    fun number(value: Double): String {
        require(!value.isNaN() && !value.isInfinite()) { "$value is no number that JSON can carry" }
        val rounded = BigDecimal(value).setScale(6, RoundingMode.HALF_EVEN)
        return if (rounded.signum() == 0) "0" else rounded.stripTrailingZeros().toPlainString()
    }

    private fun append(out: StringBuilder, value: Any?) {
        when (value) {
            null, is Boolean, is Int, is Long -> out.append(value)
            is Double -> out.append(number(value))
            is String -> quote(out, value)
            is List<*> -> join(out, '[', ']', value) { append(out, it) }
            is Map<*, *> -> join(out, '{', '}', value.entries) {
                quote(out, it.key as String)
                out.append(':')
                append(out, it.value)
            }
            else -> throw IllegalArgumentException("${value.javaClass} cannot be written as JSON")
        }
    }

    private inline fun <T> join(out: StringBuilder, open: Char, close: Char, items: Collection<T>, each: (T) -> Unit) {
        out.append(open)
        items.forEachIndexed { index, item ->
            if (index > 0) out.append(',')
            each(item)
        }
        out.append(close)
    }

    private fun quote(out: StringBuilder, text: String) = quote(out, text) { it < ' ' }

    /** Writes a quoted string; [escaped] says which characters beside `"` and `\` become escapes. */
    internal inline fun quote(out: StringBuilder, text: String, escaped: (Char) -> Boolean) {
        out.append('"')
        for (c in text) {
            when {
                c == '"' || c == '\\' -> out.append('\\').append(c)
                !escaped(c) -> out.append(c)
                c == '\b' -> out.append("\\b")
                c == '\u000c' -> out.append("\\f")
                c == '\n' -> out.append("\\n")
                c == '\r' -> out.append("\\r")
                c == '\t' -> out.append("\\t")
                else -> out.append("\\u").append(c.code.toString(16).padStart(4, '0'))
            }
        }
        out.append('"')
    }
}
