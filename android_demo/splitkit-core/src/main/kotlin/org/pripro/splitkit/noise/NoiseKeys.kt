package org.pripro.splitkit.noise

import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.tail.Wire
import java.security.MessageDigest
import java.security.SecureRandom
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/** A secret of this device alone, which never leaves it: the Keystore's on Android (splitkit-android). */
public fun interface DeviceSecret {
    /** HMAC-SHA-256 of the message under the secret, 32 bytes. */
    public fun hmac(message: ByteArray): ByteArray

    public companion object {
        /** A secret that the caller holds, such as that of a bundle's goldens. */
        public fun of(secret: ByteArray): DeviceSecret = DeviceSecret { message ->
            Mac.getInstance("HmacSHA256").apply { init(SecretKeySpec(secret, "HmacSHA256")) }.doFinal(message)
        }
    }
}

/** Where the key of a photo's noise comes from. */
public fun interface NoiseKeys {
    /** 32 bytes for a preprocessed photo [C,H,W]; the caller overwrites them. */
    public fun key(image: FloatArray): ByteArray

    public companion object {
        /** A new key for each request, from the system's secure generator. */
        public fun fresh(): NoiseKeys {
            val random = SecureRandom()
            return NoiseKeys { ByteArray(32).also(random::nextBytes) }
        }

        /**
         * The same key for the same photo on the same device, so that sending it again reveals nothing more ("pripro-eps-1").
         *
         * The bundle is part of it: two heads that drew the same noise for a photo would let the server subtract their
         * messages and cancel it. The photo's hash stands for the photo, so that a hardware key store sees 76 bytes.
         */
        public fun memoised(secret: DeviceSecret, bundleId: String): NoiseKeys {
            val prefix = "pripro-eps-1".toByteArray(Charsets.US_ASCII) + ByteArray(32) { bundleId.substring(2 * it, 2 * it + 2).toInt(16).toByte() }
            return NoiseKeys { image -> secret.hmac(prefix + MessageDigest.getInstance("SHA-256").digest(Wire.littleEndian(image))) }
        }

        /**
         * What the bundle asks for.
         *
         * @throws BundleRefused it asks for memoised noise, and this device has no secret for it.
         */
        public fun of(bundle: Bundle, secret: DeviceSecret?): NoiseKeys = when {
            bundle.manifest.protection?.noise != "memoised" -> fresh()
            secret == null -> throw BundleRefused("This bundle's noise is memoised and needs a secret of the device; give the client one.")
            else -> memoised(secret, bundle.manifest.bundleId)
        }
    }
}
