package org.pripro.splitkit.noise

/**
 * Random 64-bit words under a secret key: what is drawn is as unpredictable as the key. Nothing here can be seeded from
 * outside: a key that the tail could compute would let it compute the noise and subtract it.
 */
internal class KeyStream {
    private val words = LongArray(WORDS)
    private var at = words.size
    private var cipher: ChaCha20? = null

    /**
     * Starts the stream of a key; the key itself may be overwritten then.
     *
     * @param tensor which of the head's noise inputs it is for.
     */
    fun rekey(key: ByteArray, tensor: Int = 0) {
        cipher = ChaCha20(key, tensor)
        at = words.size
    }

    fun next(): Long {
        if (at == words.size) refill()
        return words[at++]
    }

    /** A double in (0, 1], 53 bits. */
    fun unit(): Double = ((next() ushr 11) + 1) * UNIT

    /** Overwrites what was drawn and the key that it was drawn with. */
    fun wipe() {
        cipher?.wipe()
        cipher = null
        words.fill(0)
        at = words.size
    }

    private fun refill() {
        val stream = checkNotNull(cipher) { "rekey() comes first" }
        for (block in 0 until WORDS step 8) stream.next(words, block)
        at = 0
    }

    private companion object {
        const val WORDS = 512
        const val UNIT = 1.0 / (1L shl 53)
    }
}
