import Foundation

/// A bundle that cannot be used: one sentence with what is wrong, what was expected, what to do.
public struct BundleError: Error, LocalizedError, Equatable {
    public let message: String
    public var errorDescription: String? { message }

    public init(_ message: String) {
        self.message = message
    }
}

/// A bundle folder, its manifest read and checked. No file of it is handed out before its hash was compared.
public struct ModelBundle: Sendable {
    public let root: URL
    public let manifest: Manifest

    /// Reads and checks `root`/manifest.json.
    ///
    /// - Throws: `BundleError`
    public init(at root: URL) throws {
        let url = root.appendingPathComponent("manifest.json")
        let data: Data
        do {
            data = try Data(contentsOf: url)
        } catch {
            throw BundleError("\(root.path) is not a bundle (no manifest.json can be read in it); copy one here with: pripro demo-app ios BUNDLE")
        }
        self.root = root
        manifest = try Self.parse(data, where: url.path)
    }

    /// Turns manifest.json's bytes into a manifest.
    ///
    /// - Throws: `BundleError`: not JSON, of another schema version, not of the schema, or with an id that does not fit.
    public static func parse(_ data: Data, where place: String = "manifest.json") throws -> Manifest {
        let raw: JSON
        do {
            raw = try JSONParser.parse(data)
        } catch let error as JSONError {
            throw BundleError("\(place) is not JSON (\(error.message)); copy the bundle again.")
        }
        let version = raw["schema_version"]
        guard version == .integer(Manifest.schemaVersion) else {
            let found = try version?.text(.identity) ?? "none"
            throw BundleError(
                "\(place) has schema_version \(found), this app reads \(Manifest.schemaVersion); use the app that belongs to the pripro that made it, or make the bundle anew.")
        }
        let manifest: Manifest
        do {
            manifest = try Fields.read(raw)
        } catch let error as SchemaError {
            throw BundleError("\(place) does not fit the schema: \(error.path): \(error.message); copy the bundle again or make it anew.")
        }
        guard manifest.bundleID == (try manifest.computeID()) else {
            throw BundleError("\(place) was edited: its bundle_id does not fit its content; copy the bundle again or make it anew.")
        }
        return manifest
    }

    /// The place of a file, after its size and SHA-256 were compared with the manifest.
    ///
    /// - Throws: `BundleError`: missing, or changed after it was made.
    public func checked(_ file: Manifest.FileRef) throws -> URL {
        let url = root.appendingPathComponent(file.path)
        let size = (try? FileManager.default.attributesOfItem(atPath: url.path))?[.size] as? Int
        guard let size else {
            throw BundleError("\(file.path) is missing although the manifest names it; copy the bundle again.")
        }
        guard size == file.bytes, let found = try? SHA256.hexadecimal(ofFile: url), found == file.sha256 else {
            throw BundleError("\(file.path) was changed after it was made (its SHA-256 differs); copy the bundle again.")
        }
        return url
    }

    /// Whether a head's files are here: a bundle copied to a phone leaves out what other systems need.
    public func isPresent(_ head: Manifest.Head) -> Bool {
        head.files.allSatisfy { FileManager.default.fileExists(atPath: root.appendingPathComponent($0.path).path) }
    }

    /// What a runtime opens for a head, after each of its files was checked.
    ///
    /// - Throws: `BundleError`: a file of it is missing, changed or unknown to the manifest.
    public func checkedEntry(of head: Manifest.Head) throws -> URL {
        for file in head.files { _ = try checked(file) }
        let url = root.appendingPathComponent(head.entry)
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
            throw BundleError("\(head.entry) is missing although the manifest names it; copy the bundle again.")
        }
        let known = Set(head.files.map(\.path))
        let found = isFolder.boolValue ? try Self.files(in: url, below: head.entry) : [head.entry]
        if let stranger = found.first(where: { !known.contains($0) }) {
            throw BundleError("\(stranger) is not in the manifest; copy the bundle again.")
        }
        return url
    }

    private static func files(in folder: URL, below name: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder.path).compactMap { path in
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: folder.appendingPathComponent(path).path, isDirectory: &isFolder)
            return exists && !isFolder.boolValue ? "\(name)/\(path)" : nil
        }
    }

    /// The golden rows, their files checked.
    ///
    /// - Throws: `BundleError`: the bundle has none, or they do not fit the manifest.
    public func golden() throws -> GoldenRows {
        guard let golden = manifest.golden else {
            throw BundleError("This bundle has no golden inputs; add them with: pripro package BUNDLE")
        }
        return try GoldenRows(
            inputs: Safetensors.read(checked(golden.inputs)), expected: Safetensors.read(checked(golden.expected)),
            manifest: manifest)
    }
}
