#if canImport(CoreGraphics)
    import CoreGraphics

    extension StoredPhoto {
        /// A Core Graphics image, every pixel of it, in its own colours: Pillow, which the network was trained with, converts
        /// none, and a camera's wide colours would come out as others.
        ///
        /// - Parameters:
        ///   - image: as large as it is.
        ///   - orientation: how the camera held it; a CGImage does not say.
        /// - Returns: nil where there is too little memory for its pixels.
        public init?(_ image: CGImage, orientation: Orientation = .upright) {
            let (width, height) = (image.width, image.height)
            guard width > 0, height > 0 else { return nil }
            let own = image.colorSpace.flatMap { $0.model == .rgb ? $0 : nil }
            var bytes = [UInt8](repeating: 0, count: 4 * width * height)
            let isDrawn = bytes.withUnsafeMutableBytes { memory in
                guard
                    let context = CGContext(
                        data: memory.baseAddress, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
                        space: own ?? CGColorSpaceCreateDeviceRGB(), bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
                else { return false }
                context.interpolationQuality = .none
                // transparent pixels lie on white, as they do for the network
                context.setFillColor(gray: 1, alpha: 1)
                context.fill(CGRect(x: 0, y: 0, width: width, height: height))
                context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
                return true
            }
            guard isDrawn else { return nil }
            self.init(bytes, width: width, height: height, pixelBytes: 4, orientation: orientation)
        }
    }
#endif
