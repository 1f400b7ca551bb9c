"""The de-identification table: which attributes of a CT or MR image, or an outline on one, leave, and how. All else is removed.

An allow-list after DICOM PS3.15 annex E (edition 2024b): basic profile 113100, clean descriptors 113105, retain longitudinal with full
dates 113106, retain patient characteristics 113108 (DI-01, DI-02). It holds at every depth of sequences. A package names its SHA-256.

| rule | what leaves |
|---|---|
| number | numbers only, in the VR's grammar and below 1e9, of at most 16 characters; pointers to attributes that DICOM knows |
| date, time, datetime, offset | as they are, in the VR's grammar |
| uid | `2.25.` and HMAC-SHA-256 under the center's key (DI-05) |
| class | a UID that DICOM itself registers |
| code | words of `vocabulary.CODES`; another word of a multi-valued code becomes OTHER |
| words | codes of phase, sequence, plane and region found in the text |
| agent, maker, region | one code of a closed list |
| device | known product words and short version numbers |
| age | completed years, 89 at most |
| sex | M, F or O |
| pixels | the pixel data, cut to its length; of compressed frames the listed segments and the coded samples |
| sequence | its items, by these same rules |
"""

from accounts.canonical import digest
from imaging.edge import vocabulary

_TABLE = {
    "number": """Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel PlanarConfiguration NumberOfFrames
        PixelSpacing ImagerPixelSpacing PixelAspectRatio SliceThickness SpacingBetweenSlices SliceLocation ImagePositionPatient
        ImageOrientationPatient RescaleSlope RescaleIntercept WindowCenter WindowWidth PixelPaddingValue PixelPaddingRangeLimit
        SmallestImagePixelValue LargestImagePixelValue LossyImageCompressionRatio RealWorldValueSlope RealWorldValueIntercept
        SeriesNumber AcquisitionNumber InstanceNumber TemporalPositionIdentifier NumberOfTemporalPositions TemporalResolution
        TemporalPositionIndex InStackPositionNumber DimensionIndexValues FrameAcquisitionNumber ImagesInAcquisition TriggerTime
        KVP XRayTubeCurrent ExposureTime Exposure ExposureInmAs XRayTubeCurrentInmA ExposureTimeInms CTDIvol GeneratorPower FocalSpots
        DataCollectionDiameter ReconstructionDiameter DistanceSourceToDetector DistanceSourceToPatient GantryDetectorTilt TableHeight
        RevolutionTime SingleCollimationWidth TotalCollimationWidth TableSpeed TableFeedPerRotation SpiralPitchFactor TablePosition
        ReconstructionTargetCenterPatient DataCollectionCenterPatient ReconstructionFieldOfView ReconstructionPixelSpacing
        RepetitionTime EchoTime EffectiveEchoTime InversionTime NumberOfAverages ImagingFrequency EchoNumbers MagneticFieldStrength
        NumberOfPhaseEncodingSteps EchoTrainLength PercentSampling PercentPhaseFieldOfView PixelBandwidth AcquisitionMatrix FlipAngle
        DiffusionBValue SpecificAbsorptionRateValue
        ContrastBolusVolume ContrastBolusTotalDose ContrastBolusIngredientConcentration ContrastFlowRate ContrastFlowDuration
        DimensionIndexPointer FunctionalGroupPointer
        SegmentNumber ReferencedSegmentNumber MaximumFractionalValue ROINumber ReferencedROINumber ROIDisplayColor ContourNumber
        ContourSlabThickness NumberOfContourPoints ContourData ObservationNumber""",
    "date": "StudyDate SeriesDate AcquisitionDate ContentDate StructureSetDate",
    "time": "StudyTime SeriesTime AcquisitionTime ContentTime ContrastBolusStartTime ContrastBolusStopTime StructureSetTime",
    "datetime": "AcquisitionDateTime FrameAcquisitionDateTime FrameReferenceDateTime",
    "offset": "TimezoneOffsetFromUTC",
    "uid": """StudyInstanceUID SeriesInstanceUID SOPInstanceUID FrameOfReferenceUID SynchronizationFrameOfReferenceUID
        ReferencedSOPInstanceUID ReferencedFrameOfReferenceUID IrradiationEventUID AcquisitionUID DimensionOrganizationUID
        ConcatenationUID SOPInstanceUIDOfConcatenationSource""",
    "class": "SOPClassUID ReferencedSOPClassUID",
    "code": """ImageType FrameType Modality PatientPosition BodyPartExamined PhotometricInterpretation RescaleType ScanOptions
        ScanningSequence SequenceVariant MRAcquisitionType FilterType LossyImageCompression LossyImageCompressionMethod
        BurnedInAnnotation ContrastBolusRoute AcquisitionType RotationDirection ExposureModulationType PixelPresentation
        VolumetricProperties VolumeBasedCalculationTechnique ComplexImageComponent AcquisitionContrast DimensionOrganizationType
        VOILUTFunction PatientOrientation SegmentationType SegmentationFractionalType SegmentAlgorithmType ROIGenerationAlgorithm
        RTROIInterpretedType ContourGeometricType""",
    "region": "SegmentLabel ROIName",
    "words": "SeriesDescription ProtocolName AcquisitionProtocolDescription",
    "agent": "ContrastBolusAgent",
    "maker": "Manufacturer",
    "device": "ManufacturerModelName SoftwareVersions ConvolutionKernel",
    "age": "PatientAge",
    "sex": "PatientSex",
    "pixels": "PixelData",
    "sequence": """ReferencedImageSequence SourceImageSequence SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence
        PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence FrameContentSequence PixelValueTransformationSequence
        FrameVOILUTSequence DimensionOrganizationSequence DimensionIndexSequence CTImageFrameTypeSequence MRImageFrameTypeSequence
        CTAcquisitionTypeSequence CTAcquisitionDetailsSequence CTTableDynamicsSequence CTPositionSequence CTGeometrySequence
        CTReconstructionSequence CTExposureSequence CTXRayDetailsSequence MRTimingAndRelatedParametersSequence MREchoSequence
        MRAveragesSequence MRDiffusionSequence TemporalPositionSequence DerivationImageSequence
        SegmentSequence SegmentIdentificationSequence ReferencedSeriesSequence ReferencedInstanceSequence StructureSetROISequence
        ROIContourSequence ContourSequence ContourImageSequence RTROIObservationsSequence ReferencedFrameOfReferenceSequence
        RTReferencedStudySequence RTReferencedSeriesSequence""",
}
RULES: dict[str, str] = {keyword: rule for rule, keywords in _TABLE.items() for keyword in keywords.split()}

_EMPTY_TEXT = """
    StudyDate StudyTime PatientSex PatientBirthDate StudyID AccessionNumber ReferringPhysicianName SeriesNumber InstanceNumber
    AcquisitionNumber Laterality PositionReferenceIndicator PatientOrientation Manufacturer KVP SliceThickness ScanOptions MRAcquisitionType
    RepetitionTime EchoTime EchoTrainLength ContentDate ContentTime ContrastBolusAgent ContentDescription ContentCreatorName
    StructureSetDate StructureSetTime
"""
EMPTY = frozenset(
    _EMPTY_TEXT.split()
)  # PS3.3 type 2: may be empty, may not be missing; what had one of them and may not keep its value leaves it empty

CT_MR_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT
        "1.2.840.10008.5.1.4.1.1.2.1",  # enhanced CT
        "1.2.840.10008.5.1.4.1.1.4",  # MR
        "1.2.840.10008.5.1.4.1.1.4.1",  # enhanced MR
    }
)
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
OUTLINE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.66.4": "SEG",  # segmentation
    "1.2.840.10008.5.1.4.1.1.66.7": "SEG",  # label map segmentation
    STRUCTURE_SET: "RTSTRUCT",
}
"""What somebody outlined, and the modality that each class states: it arrives on the platform as a proposal for a person to assign."""
KEPT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.77.1.6",  # whole slide image
    }
)  # of use to the study, but not by this door: held in quarantine for a person. Every other class is discarded by rule.

RULES_SHA256 = digest(
    {
        "v": 4,  # raised with what a rule means
        "rules": RULES,
        "empty": sorted(EMPTY),
        "words": [list(row) for row in vocabulary.WORDS],
        "agents": [list(row) for row in vocabulary.AGENTS],
        "makers": [list(row) for row in vocabulary.MAKERS],
        "codes": sorted(vocabulary.CODES),
        "regions": [list(row) for row in vocabulary.REGIONS],
    }
)
