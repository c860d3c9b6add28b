package org.pripro.splitkit.coder

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bundle.BundleId
import org.pripro.splitkit.bundle.Coding
import java.security.MessageDigest

/** A message that no encoder made. */
internal class NotAMessage(why: String) : Exception("not a message of this coding: $why")

/**
 * The byte format rans-1: codes of a waist to a message and back, by range asymmetric numeral systems with a fixed table per
 * channel. tests/contract/coder specifies the bytes.
 *
 * Source: Duda, "Asymmetric numeral systems", 2013; renormalised by bytes.
 *
 * @param positions values of one channel of one photo.
 * @param channelLast whether a photo's codes lie position by position (NTC, NHWC) and not channel by channel.
 * @throws BundleRefused a coding that is inconsistent.
 */
internal class RansCoder(private val coding: Coding, private val positions: Int, private val channelLast: Boolean) {
    private val channels = coding.levels.size

    /** Codes of one photo. */
    val count = channels * positions
    private val starts: List<IntArray>
    private val likeliest: IntArray

    init {
        check(coding)
        starts = coding.tables.map { table -> IntArray(table.size + 1).also { for (i in table.indices) it[i + 1] = it[i] + table[i] } }
        likeliest = IntArray(channels) { c -> coding.tables[c].indices.maxByOrNull { coding.tables[c][it] } ?: 0 }
        val pad = coding.padBytes
        if (pad != null && stream(IntArray(count) { likeliest[it / positions] }).size > pad) {
            refuse("pad_bytes is $pad, less than the shortest message")
        }
    }

    /**
     * @param codes one photo's, in C order of the tensor.
     * @throws IllegalArgumentException another number of codes, or one that its channel does not have.
     */
    fun encode(codes: ByteArray): ByteArray {
        require(codes.size == count) { "${codes.size} codes came, $count are one photo's" }
        val symbols = IntArray(count) { i ->
            val code = codes[place(i)].toInt() and 255
            require(code < coding.levels[i / positions]) { "the code $code is beyond its channel's ${coding.levels[i / positions]} levels" }
            code
        }
        val pad = coding.padBytes ?: return stream(symbols)
        var made = stream(symbols)
        var sixteenths = 0
        while (made.size > pad) {
            sixteenths++
            val replaced = (count * sixteenths + 15) / 16
            for (i in count - replaced until count) symbols[i] = likeliest[i / positions]
            made = stream(symbols)
        }
        return made.copyOf(pad)
    }

    /** @throws NotAMessage bytes that [encode] does not make. */
    fun decode(message: ByteArray): ByteArray {
        val pad = coding.padBytes
        if (pad != null && message.size != pad) throw NotAMessage("it has ${message.size} bytes, each has $pad")
        if (message.size < 3) throw NotAMessage("it is too short")
        val codes = ByteArray(count)
        var at = 3
        var x = (message[0].toInt() and 255 shl 16) or (message[1].toInt() and 255 shl 8) or (message[2].toInt() and 255)
        if (x < LOWEST) throw NotAMessage("its state is too small")
        for (i in 0 until count) {
            val start = starts[i / positions]
            val m = x and MASK
            val code = code(start, m)
            x = (start[code + 1] - start[code]) * (x shr BITS) + m - start[code]
            while (x < LOWEST) {
                if (at == message.size) throw NotAMessage("it ends too early")
                x = x shl 8 or (message[at++].toInt() and 255)
            }
            codes[place(i)] = code.toByte()
        }
        if (x != LOWEST) throw NotAMessage("its end does not fit")
        if (pad == null && at != message.size) throw NotAMessage("bytes follow")
        if (pad != null && (at until pad).any { message[it] != 0.toByte() }) throw NotAMessage("its padding is not zero")
        return codes
    }

    private fun stream(symbols: IntArray): ByteArray {
        val out = java.io.ByteArrayOutputStream(symbols.size)
        var x = LOWEST
        for (i in symbols.indices.reversed()) {
            val start = starts[i / positions]
            val low = start[symbols[i]]
            val frequency = start[symbols[i] + 1] - low
            while (x >= frequency shl 10) {
                out.write(x)
                x = x shr 8
            }
            x = (x / frequency shl BITS) + x % frequency + low
        }
        out.write(x)
        out.write(x shr 8)
        out.write(x shr 16)
        return out.toByteArray().apply { reverse() }
    }

    /** The symbol s with start[s] <= m < start[s + 1]. */
    private fun code(start: IntArray, m: Int): Int {
        var low = 0
        var high = start.size - 1
        while (high - low > 1) {
            val middle = (low + high) ushr 1
            if (start[middle] <= m) low = middle else high = middle
        }
        return low
    }

    /** Where the i-th symbol in the coder's order, channel by channel, lies in the tensor. */
    private fun place(i: Int) = if (channelLast) i % positions * channels + i / positions else i

    companion object {
        private const val BITS = 14
        private const val MASK = (1 shl BITS) - 1
        private const val LOWEST = 1 shl 16

        /** @throws BundleRefused a coding that is inconsistent. */
        fun check(coding: Coding) {
            if (coding.coder != "rans-1" || coding.precisionBits != BITS) refuse("it is ${coding.coder} with ${coding.precisionBits} bits, this app has rans-1 with $BITS")
            val channels = coding.levels.size
            if (channels < 1 || listOf(coding.scale.size, coding.zeroPoint.size, coding.tables.size).any { it != channels }) refuse("its lists differ in length")
            for (c in 0 until channels) {
                val table = coding.tables[c]
                if (coding.levels[c] !in 2..256 || table.size != coding.levels[c]) refuse("channel $c has ${table.size} frequencies for ${coding.levels[c]} levels")
                if (table.any { it < 1 } || table.sumOf { it.toLong() } != 1L shl BITS) refuse("the frequencies of channel $c do not sum to ${1 shl BITS}")
                if (!(coding.scale[c] > 0) || coding.scale[c].toFloat() <= 0f || coding.scale[c].toFloat().isInfinite()) refuse("the scale of channel $c is no step")
                if (coding.zeroPoint[c] !in 0 until coding.levels[c]) refuse("the zero point of channel $c is no code")
            }
            val hash = MessageDigest.getInstance("SHA-256").digest(BundleId.tables(coding.tables).toByteArray(Charsets.US_ASCII))
            if (BundleId.hex(hash).take(16) != coding.tableId) refuse("its table_id belongs to other tables")
            coding.padBytes?.let { if (it < 3) refuse("no message has $it bytes") }
        }

        private fun refuse(why: String): Nothing = throw BundleRefused("The bundle's coding does not fit ($why); make the bundle anew.")
    }
}
