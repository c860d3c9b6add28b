package org.pripro.splitkit.bundle

import java.math.BigDecimal
import java.math.MathContext
import java.math.RoundingMode
import java.security.MessageDigest

/** The hash that a head and a tail must agree on; tests/contract/README.md says over what. */
internal object BundleId {
    fun of(manifest: Manifest): String = hex(MessageDigest.getInstance("SHA-256").digest(agreed(manifest).toByteArray(Charsets.US_ASCII)))

    /** Lower-case hex. */
    fun hex(bytes: ByteArray): String = buildString(bytes.size * 2) {
        for (byte in bytes) append("0123456789abcdef"[byte.toInt() shr 4 and 15]).append("0123456789abcdef"[byte.toInt() and 15])
    }

    private fun agreed(manifest: Manifest): String {
        val protection = manifest.protection?.let { of ->
            listOf(
                text(of.method), text(of.weights.sha256), of.eps.joined(::tensor), text(of.train), text(of.noise),
                of.wireUint8.joined(::tensor), of.waist?.let(::waist) ?: "null",
            ).joinToString(",", "[", "]")
        }
        return listOf(
            "${Manifest.SCHEMA_VERSION}", text(manifest.model.program.sha256), text(manifest.split.cut), preprocess(manifest.preprocess),
            manifest.labels.joined(::text), task(manifest.task), protection ?: "null",
        ).joinToString(",", "[", "]")
    }

    private fun <T> List<T>.joined(spell: (T) -> String) = joinToString(",", "[", "]", transform = spell)

    // keys sorted by name, as Python's sort_keys does
    private fun preprocess(of: Preprocess) =
        "{\"antialias\":${of.antialias},\"channels\":${of.channels},\"height\":${of.height},\"interpolation\":${text(of.interpolation)}," +
            "\"mean\":${doubles(of.mean)},\"order\":${text(of.order)},\"resize\":${text(of.resize)}," +
            "\"shorter_side\":${of.shorterSide},\"std\":${doubles(of.std)},\"value_range\":${of.valueRange},\"width\":${of.width}}"

    private fun task(of: Task): String {
        val settings = of.settings.toSortedMap(BY_CODE_POINT).entries.joinToString(",", "{", "}") { "${text(it.key)}:${repr(it.value)}" }
        return "{\"guessed\":${of.guessed},\"metric\":${text(of.metric)},\"name\":${text(of.name)},\"settings\":$settings}"
    }

    private fun tensor(of: TensorSpec) =
        "{\"dtype\":${text(of.dtype)},\"grid\":${of.grid?.let(::ints) ?: "null"},\"layout\":${text(of.layout)},\"name\":${text(of.name)}," +
            "\"prefix_tokens\":${of.prefixTokens},\"scale\":${of.scale?.let(::doubles) ?: "null"},\"shape\":${ints(of.shape)}," +
            "\"zero_point\":${of.zeroPoint?.let(::ints) ?: "null"}}"

    private fun waist(of: Waist) =
        "{\"coding\":${coding(of.coding)},\"decoder_macs\":${of.decoderMacs},\"decoder_parameters\":${of.decoderParameters}," +
            "\"encoder_macs\":${of.encoderMacs},\"shape\":${ints(of.shape)}}"

    private fun coding(of: Coding) =
        "{\"coder\":${text(of.coder)},\"levels\":${ints(of.levels)},\"pad_bytes\":${of.padBytes},\"precision_bits\":${of.precisionBits}," +
            "\"scale\":${doubles(of.scale)},\"table_id\":${text(of.tableId)},\"tables\":${tables(of.tables)},\"zero_point\":${ints(of.zeroPoint)}}"

    /** A coding's tables as canonical JSON: what its table_id hashes. */
    internal fun tables(tables: List<List<Int>>): String = tables.joined(::ints)

    /** Java compares UTF-16 units, Python code points; they differ beyond U+FFFF. */
    private val BY_CODE_POINT = Comparator<String> { a, b ->
        val (left, right) = a.codePoints().toArray() to b.codePoints().toArray()
        val at = left.indices.firstOrNull { it >= right.size || left[it] != right[it] }
        when {
            at == null -> left.size.compareTo(right.size)
            at >= right.size -> 1
            else -> left[at].compareTo(right[at])
        }
    }

    private fun ints(values: List<Int>) = values.joinToString(",", "[", "]")

    private fun doubles(values: List<Double>) = values.joinToString(",", "[", "]", transform = ::repr)

    private fun text(value: String) = StringBuilder().also { CanonicalJson.quote(it, value) { c -> c !in ' '..'~' } }.toString()

    /**
     * A double as Python's repr spells it: the fewest digits that read back to it.
     *
     * Double.toString is not enough here: before Java 19 it sometimes gives a digit too many, and its exponents differ.
     */
    internal fun repr(value: Double): String {
        if (value == 0.0) return if (1 / value < 0) "-0.0" else "0.0"
        val exact = BigDecimal(value).abs()
        val shortest = (1..17).asSequence().mapNotNull { shortest(exact, it) }.first().stripTrailingZeros()
        val digits = shortest.unscaledValue().toString()
        val exponent = digits.length - 1 - shortest.scale()
        val spelled = when {
            exponent < -4 || exponent >= 16 -> {
                val point = if (digits.length > 1) "${digits[0]}.${digits.substring(1)}" else digits
                point + (if (exponent < 0) "e-" else "e+") + Math.abs(exponent).toString().padStart(2, '0')
            }
            exponent < 0 -> "0." + "0".repeat(-exponent - 1) + digits
            digits.length <= exponent + 1 -> digits + "0".repeat(exponent + 1 - digits.length) + ".0"
            else -> digits.substring(0, exponent + 1) + "." + digits.substring(exponent + 1)
        }
        return if (value < 0) "-$spelled" else spelled
    }

    /**
     * The nearest decimal of [digits] digits that reads back to the same double, or null.
     *
     * Both neighbours are tried: at a power of two the doubles below lie closer than those above, so the nearer neighbour
     * may read back to another double where the farther one does not. Of two that are equally near, the even one counts.
     */
    private fun shortest(exact: BigDecimal, digits: Int): BigDecimal? =
        listOf(RoundingMode.HALF_EVEN, RoundingMode.DOWN, RoundingMode.UP).map { exact.round(MathContext(digits, it)) }
            .filter { it.toDouble() == exact.toDouble() }
            .minByOrNull { (it - exact).abs() }
}
