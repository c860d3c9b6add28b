package org.pripro.splitkit.noise

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.SecretKey
import javax.crypto.spec.IvParameterSpec

/**
 * Random 64-bit words: AES-256 in counter mode under a key that the system's [SecureRandom] draws anew for each request.
 *
 * Why not SecureRandom alone: one draw of noise for 100,352 features takes 0.8 MB of randomness, and the system's
 * generator is not made for that rate. Counter mode under a secret random key is the standard way to stretch it (NIST
 * SP 800-90A's CTR_DRBG has the same core), and processors have instructions for it. Nothing here can be seeded: a
 * known seed would let the tail compute the noise and subtract it.
 */
internal class KeyStream {
    private val random = SecureRandom()
    private val zeros = ByteArray(CHUNK)
    private val bytes = ByteArray(CHUNK)
    private val words = LongArray(CHUNK / 8)
    private var at = words.size
    private var cipher: Cipher? = null

    /** Starts a new stream that has nothing in common with the one before. */
    fun rekey() {
        val key = WipedKey(ByteArray(32).also(random::nextBytes))
        val counter = ByteArray(16).also(random::nextBytes)
        cipher = Cipher.getInstance("AES/CTR/NoPadding").apply { init(Cipher.ENCRYPT_MODE, key, IvParameterSpec(counter)) }
        key.destroy()
        counter.fill(0)
        at = words.size
    }

    fun next(): Long {
        if (at == words.size) refill()
        return words[at++]
    }

    /** A double in (0, 1], 53 bits. */
    fun unit(): Double = ((next() ushr 11) + 1) * UNIT

    /**
     * Overwrites what was drawn. The cipher's own schedule of the key cannot be reached from here: it goes with the cipher, when
     * the collector takes it.
     */
    fun wipe() {
        cipher = null
        bytes.fill(0)
        words.fill(0)
        at = words.size
    }

    private fun refill() {
        val stream = checkNotNull(cipher) { "rekey() comes first" }
        stream.update(zeros, 0, CHUNK, bytes, 0)
        ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder()).asLongBuffer().get(words)
        at = 0
    }

    private companion object {
        const val CHUNK = 32 * 1024
        const val UNIT = 1.0 / (1L shl 53)
    }
}

/** An AES key whose bytes can be overwritten; SecretKeySpec keeps a copy that nobody can reach. */
internal class WipedKey(private val bytes: ByteArray) : SecretKey {
    override fun getAlgorithm(): String = "AES"

    override fun getFormat(): String = "RAW"

    /** The bytes themselves: what a cipher copies of them is its own affair. */
    override fun getEncoded(): ByteArray = bytes

    override fun destroy() = bytes.fill(0)

    override fun isDestroyed(): Boolean = bytes.all { it == 0.toByte() }
}
