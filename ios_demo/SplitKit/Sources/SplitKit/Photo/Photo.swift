/// An upright photo whose rows are read one at a time: a large one need not be in memory twice, nor be made smaller first.
public protocol Photo {
    var width: Int { get }
    var height: Int { get }

    /// Writes row `y` as 3 * `width` bytes: red, green, blue.
    func row(_ y: Int, into rgb: UnsafeMutableBufferPointer<UInt8>)
}

/// Pixels in memory as a camera stored them, turned upright as they are read.
public struct StoredPhoto: Photo, Sendable {
    private let bytes: [UInt8]
    private let storedWidth: Int
    private let storedHeight: Int
    private let pixelBytes: Int
    private let orientation: Orientation
    private let isBlueFirst: Bool

    /// - Parameters:
    ///   - bytes: row by row; red, green and blue first in each pixel.
    ///   - width: of the stored picture.
    ///   - height: of the stored picture.
    ///   - pixelBytes: 3, or 4 where an ignored byte follows.
    ///   - orientation: how the camera held it.
    ///   - isBlueFirst: whether blue comes first and red last, as in a camera's frames.
    public init(
        _ bytes: [UInt8], width: Int, height: Int, pixelBytes: Int = 3, orientation: Orientation = .upright,
        isBlueFirst: Bool = false
    ) {
        precondition(width > 0 && height > 0 && bytes.count == pixelBytes * width * height, "pixels do not fit the photo's size")
        self.bytes = bytes
        (storedWidth, storedHeight, self.pixelBytes, self.orientation) = (width, height, pixelBytes, orientation)
        self.isBlueFirst = isBlueFirst
    }

    public var width: Int { orientation.swaps ? storedHeight : storedWidth }
    public var height: Int { orientation.swaps ? storedWidth : storedHeight }

    public func row(_ y: Int, into rgb: UnsafeMutableBufferPointer<UInt8>) {
        bytes.withUnsafeBufferPointer { bytes in
            // neighbours of an upright row lie one pixel or one row apart, forwards or backwards
            let first = place(0, y)
            let step = width > 1 ? place(1, y) - first : 0
            for x in 0..<width {
                let at = first + x * step
                for channel in 0..<3 { rgb[3 * x + channel] = bytes[at + (isBlueFirst ? 2 - channel : channel)] }
            }
        }
    }

    private func place(_ x: Int, _ y: Int) -> Int {
        let stored = orientation.stored(x, y, width: storedWidth, height: storedHeight)
        return (stored.y * storedWidth + stored.x) * pixelBytes
    }
}

/// The eight ways in which a camera may store a picture, by their number in EXIF (TIFF tag 0x0112).
///
/// Source: CIPA DC-008 (Exif 2.3), tag Orientation; Pillow's ImageOps.exif_transpose turns the same way.
public enum Orientation: Int, Sendable, CaseIterable {
    case upright = 1, flipped, rotated180, flippedVertically, transposed, rotated90, transversed, rotated270

    /// Unknown numbers are upright, as every viewer takes them.
    public init(exif: Int) { self = Orientation(rawValue: exif) ?? .upright }

    /// Whether an upright row is a stored column.
    var swaps: Bool { rawValue >= 5 }

    /// Where the upright pixel (x, y) lies in a stored picture of that size.
    func stored(_ x: Int, _ y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        let (column, row) = swaps ? (y, x) : (x, y)
        let flipsX = [.flipped, .rotated180, .transversed, .rotated270].contains(self)
        let flipsY = [.rotated180, .flippedVertically, .rotated90, .transversed].contains(self)
        return (flipsX ? width - 1 - column : column, flipsY ? height - 1 - row : row)
    }
}
