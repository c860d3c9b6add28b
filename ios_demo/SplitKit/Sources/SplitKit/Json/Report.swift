import Foundation

/// Reading and writing report files, canonical JSON as tests/contract/README.md fixes it.
public enum Report {
    static let version = 1

    /// Reads a report.
    ///
    /// - Throws: `BundleError`: not JSON, or not a report of this kind.
    public static func read<R: Record>(_ data: Data, where place: String = "the report") throws -> R {
        do {
            return try Fields.read(JSONParser.parse(data))
        } catch let error as JSONError {
            throw BundleError("\(place) is not JSON (\(error.message)); write it anew with the app.")
        } catch let error as SchemaError {
            throw BundleError("\(place) does not fit the schema: \(error.path): \(error.message); write it anew with the app.")
        }
    }

    /// A report's bytes.
    ///
    /// - Throws: `BundleError` where a number in it is not finite.
    public static func data(_ report: some Record) throws -> Data {
        do {
            return Data((try report.json.text(.report) + "\n").utf8)
        } catch let error as JSONError {
            throw BundleError("The report cannot be written: \(error.message); measure again.")
        }
    }

    /// Writes a report in one step: the file is whole or not there.
    public static func write(_ report: some Record, to url: URL) throws {
        let data = try data(report)
        do {
            try data.write(to: url, options: .atomic)
        } catch {
            throw BundleError("\(url.path) cannot be written; choose a folder that you may write to.")
        }
    }
}

extension Fields {
    func reportHeader(kind: String) throws {
        let version = try value("schema_version", otherwise: Report.version, Read.integer)
        guard version == Report.version else {
            throw error("schema_version", "is \(version), this app reads \(Report.version)")
        }
        let found = try value("kind", otherwise: kind, Read.string)
        guard found == kind else { throw error("kind", "must be \"\(kind)\", is \"\(found)\"") }
    }
}

extension String {
    /// The present moment as reports write it.
    public static var nowUTC: String { Date.now.ISO8601Format() }
}
