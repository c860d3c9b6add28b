import SplitKit
import SwiftUI
import UIKit

extension Orientation {
    /// How UIKit says that the camera was held, in EXIF's numbers.
    init(_ orientation: UIImage.Orientation) {
        switch orientation {
        case .up: self = .upright
        case .upMirrored: self = .flipped
        case .down: self = .rotated180
        case .downMirrored: self = .flippedVertically
        case .leftMirrored: self = .transposed
        case .right: self = .rotated90
        case .rightMirrored: self = .transversed
        case .left: self = .rotated270
        @unknown default: self = .upright
        }
    }
}

extension FeatureMosaic {
    /// The mosaic as a picture.
    var image: CGImage? {
        var pixels = grey
        return pixels.withUnsafeMutableBytes { memory in
            CGContext(
                data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: width,
                space: CGColorSpaceCreateDeviceGray(), bitmapInfo: CGImageAlphaInfo.none.rawValue
            )?.makeImage()
        }
    }
}

extension Segments {
    /// The classes as a picture.
    var image: CGImage? {
        var pixels = rgbx
        return pixels.withUnsafeMutableBytes { memory in
            CGContext(
                data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
                space: CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue
            )?.makeImage()
        }
    }
}
