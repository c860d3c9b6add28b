package org.pripro.splitkit.noise

/**
 * The key stream of ChaCha20 (RFC 8439), a block of 64 bytes at a time. Java has it from 11 on and Android from 28 on, this
 * library runs from 26 on; and memoised noise must be the same bytes on every phone.
 *
 * @param key 32 bytes.
 * @param nonce the first of its three words; the others are 0.
 */
internal class ChaCha20(key: ByteArray, nonce: Int) {
    private val state = IntArray(16)

    init {
        require(key.size == 32) { "a key has 32 bytes, not ${key.size}" }
        CONSTANT.copyInto(state)
        for (i in 0 until 8) {
            state[4 + i] = (key[4 * i].toInt() and 255) or (key[4 * i + 1].toInt() and 255 shl 8) or
                (key[4 * i + 2].toInt() and 255 shl 16) or (key[4 * i + 3].toInt() shl 24)
        }
        state[13] = nonce
    }

    /**
     * Writes the next block as eight words of eight bytes, least significant first. Written out, because local variables stay in
     * registers and an array's places do not: a third of the time.
     */
    fun next(into: LongArray, at: Int) {
        var x0 = state[0]
        var x1 = state[1]
        var x2 = state[2]
        var x3 = state[3]
        var x4 = state[4]
        var x5 = state[5]
        var x6 = state[6]
        var x7 = state[7]
        var x8 = state[8]
        var x9 = state[9]
        var x10 = state[10]
        var x11 = state[11]
        var x12 = state[12]
        var x13 = state[13]
        var x14 = state[14]
        var x15 = state[15]
        repeat(10) {
            x0 += x4
            x12 = Integer.rotateLeft(x12 xor x0, 16)
            x8 += x12
            x4 = Integer.rotateLeft(x4 xor x8, 12)
            x0 += x4
            x12 = Integer.rotateLeft(x12 xor x0, 8)
            x8 += x12
            x4 = Integer.rotateLeft(x4 xor x8, 7)
            x1 += x5
            x13 = Integer.rotateLeft(x13 xor x1, 16)
            x9 += x13
            x5 = Integer.rotateLeft(x5 xor x9, 12)
            x1 += x5
            x13 = Integer.rotateLeft(x13 xor x1, 8)
            x9 += x13
            x5 = Integer.rotateLeft(x5 xor x9, 7)
            x2 += x6
            x14 = Integer.rotateLeft(x14 xor x2, 16)
            x10 += x14
            x6 = Integer.rotateLeft(x6 xor x10, 12)
            x2 += x6
            x14 = Integer.rotateLeft(x14 xor x2, 8)
            x10 += x14
            x6 = Integer.rotateLeft(x6 xor x10, 7)
            x3 += x7
            x15 = Integer.rotateLeft(x15 xor x3, 16)
            x11 += x15
            x7 = Integer.rotateLeft(x7 xor x11, 12)
            x3 += x7
            x15 = Integer.rotateLeft(x15 xor x3, 8)
            x11 += x15
            x7 = Integer.rotateLeft(x7 xor x11, 7)
            x0 += x5
            x15 = Integer.rotateLeft(x15 xor x0, 16)
            x10 += x15
            x5 = Integer.rotateLeft(x5 xor x10, 12)
            x0 += x5
            x15 = Integer.rotateLeft(x15 xor x0, 8)
            x10 += x15
            x5 = Integer.rotateLeft(x5 xor x10, 7)
            x1 += x6
            x12 = Integer.rotateLeft(x12 xor x1, 16)
            x11 += x12
            x6 = Integer.rotateLeft(x6 xor x11, 12)
            x1 += x6
            x12 = Integer.rotateLeft(x12 xor x1, 8)
            x11 += x12
            x6 = Integer.rotateLeft(x6 xor x11, 7)
            x2 += x7
            x13 = Integer.rotateLeft(x13 xor x2, 16)
            x8 += x13
            x7 = Integer.rotateLeft(x7 xor x8, 12)
            x2 += x7
            x13 = Integer.rotateLeft(x13 xor x2, 8)
            x8 += x13
            x7 = Integer.rotateLeft(x7 xor x8, 7)
            x3 += x4
            x14 = Integer.rotateLeft(x14 xor x3, 16)
            x9 += x14
            x4 = Integer.rotateLeft(x4 xor x9, 12)
            x3 += x4
            x14 = Integer.rotateLeft(x14 xor x3, 8)
            x9 += x14
            x4 = Integer.rotateLeft(x4 xor x9, 7)
        }
        into[at] = word(x0 + state[0], x1 + state[1])
        into[at + 1] = word(x2 + state[2], x3 + state[3])
        into[at + 2] = word(x4 + state[4], x5 + state[5])
        into[at + 3] = word(x6 + state[6], x7 + state[7])
        into[at + 4] = word(x8 + state[8], x9 + state[9])
        into[at + 5] = word(x10 + state[10], x11 + state[11])
        into[at + 6] = word(x12 + state[12], x13 + state[13])
        into[at + 7] = word(x14 + state[14], x15 + state[15])
        state[12]++
    }

    private fun word(low: Int, high: Int): Long = low.toLong() and 0xffffffffL or (high.toLong() shl 32)

    fun wipe() = state.fill(0)

    private companion object {
        /** "expand 32-byte k" */
        val CONSTANT = intArrayOf(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)
    }
}
