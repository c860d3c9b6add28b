#if canImport(Security)
    import Foundation
    import Security

    extension DeviceSecret {
        /// The device's secret in the Keychain: made there once, for this device only; no backup and no other device gets it. It
        /// stays when the app is updated, and usually when it is removed and installed again.
        ///
        /// - Throws: `EntropyError` where the Keychain does not answer; nothing may be sent then.
        public static func keychain(_ name: String = "splitkit-device-secret") throws -> DeviceSecret {
            if let kept = try read(name) { return DeviceSecret(bytes: kept) }
            var bytes = [UInt8](repeating: 0, count: 32)
            let drawn = SecRandomCopyBytes(kSecRandomDefault, bytes.count, &bytes)
            guard drawn == errSecSuccess else { throw EntropyError(status: Int(drawn)) }
            let item = query(name)
            item[kSecValueData] = Data(bytes)
            item[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            let added = SecItemAdd(item as CFDictionary, nil)
            if added == errSecDuplicateItem, let kept = try read(name) { return DeviceSecret(bytes: kept) }
            guard added == errSecSuccess else { throw EntropyError(status: Int(added)) }
            return DeviceSecret(bytes: Data(bytes))
        }

        private static func query(_ name: String) -> NSMutableDictionary {
            let item = NSMutableDictionary()
            item[kSecClass] = kSecClassGenericPassword
            item[kSecAttrService] = name
            item[kSecAttrAccount] = name
            return item
        }

        private static func read(_ name: String) throws -> Data? {
            let item = query(name)
            item[kSecReturnData] = true
            var found: CFTypeRef?
            let status = SecItemCopyMatching(item as CFDictionary, &found)
            if status == errSecItemNotFound { return nil }
            guard status == errSecSuccess, let data = found as? Data, data.count == 32 else { throw EntropyError(status: Int(status)) }
            return data
        }
    }
#endif
