package org.pripro.splitkit.android

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.noise.DeviceSecret
import java.security.GeneralSecurityException
import java.security.KeyStore
import javax.crypto.KeyGenerator
import javax.crypto.Mac

/**
 * The device's secret in the Android Keystore: made there once, and nobody reads it out, this app included. It stays when the
 * app is updated and goes when the app is removed; another phone has another one.
 */
public class KeystoreSecret(private val alias: String = "splitkit-device-secret") : DeviceSecret {
    override fun hmac(message: ByteArray): ByteArray = try {
        Mac.getInstance(HMAC).apply { init(key()) }.doFinal(message)
    } catch (error: GeneralSecurityException) {
        throw SplitKitException("The phone's key store does not answer (${error.message}); restart the phone, or install the app anew.", error)
    }

    @Synchronized
    private fun key(): java.security.Key {
        val store = KeyStore.getInstance(STORE).apply { load(null) }
        return store.getKey(alias, null) ?: KeyGenerator.getInstance(HMAC, STORE).run {
            init(KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_SIGN).build())
            generateKey()
        }
    }

    private companion object {
        const val STORE = "AndroidKeyStore"
        const val HMAC = KeyProperties.KEY_ALGORITHM_HMAC_SHA256
    }
}
