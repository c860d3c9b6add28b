package org.pripro.splitkit.tail

import java.io.InputStream
import java.security.GeneralSecurityException
import java.security.KeyStore
import java.security.cert.CertificateFactory
import javax.net.ssl.SSLContext
import javax.net.ssl.SSLSocketFactory
import javax.net.ssl.TrustManagerFactory

/** Trust in one certificate authority alone, for a tail whose certificate no public authority signed. */
public object OwnAuthority {
    /**
     * @param pem one or more certificates, PEM or DER.
     * @return sockets that trust these and nothing else; the host name is still checked.
     * @throws TailFailed.BadAddress where there is no certificate in it.
     */
    public fun trusting(pem: InputStream): SSLSocketFactory = try {
        val store = KeyStore.getInstance(KeyStore.getDefaultType()).apply { load(null, null) }
        val certificates = CertificateFactory.getInstance("X.509").generateCertificates(pem)
        if (certificates.isEmpty()) throw TailFailed.BadAddress("tail_ca.pem holds no certificate")
        certificates.forEachIndexed { index, certificate -> store.setCertificateEntry("tail$index", certificate) }
        val managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm()).apply { init(store) }
        SSLContext.getInstance("TLS").apply { init(null, managers.trustManagers, null) }.socketFactory
    } catch (error: GeneralSecurityException) {
        throw TailFailed.BadAddress("tail_ca.pem cannot be read (${error.message})")
    }
}
