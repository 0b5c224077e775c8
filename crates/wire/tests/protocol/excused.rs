//! Vectors that say nothing about a server, with the reason. This list may only shrink.

const ADDED: &str = "the client sends a default that the parameters lack";
const CONTRADICTION: &str = "the answer holds what neither the result nor its shape has";
const ELEMENT_NAME: &str =
    "a flattened list whose element alone is named goes by that name, as in the services' models";
const FILLED: &str = "the client fills a token in that the parameters lack";
const LENIENT: &str = "what clients put up with and servers need not write";
const OFFSET: &str = "a server writes UTC";
const OMITTED: &str = "the client leaves empty collections out, so nothing arrives";
const SHAPE_NAME: &str = "XML names of structures are not part of the models of clients in use";
const WHOLE_QUERY: &str = "a server puts every parameter into the map, the bound ones too";
const ZIP: &str = "the vector gives no body to decode";

/// Protocol, direction and id, and why.
pub(crate) const NOT_FOR_SERVERS: &[(&str, &str)] = &[
    ("awsJson1_0/output/AwsJson10DeserializeAllowNulls", LENIENT),
    ("awsJson1_0/output/AwsJson10DeserializeIgnoreType", LENIENT),
    ("awsJson1_0/output/AwsJson10FooErrorUsingCode", LENIENT),
    (
        "awsJson1_0/output/AwsJson10FooErrorUsingCodeAndNamespace",
        LENIENT,
    ),
    (
        "awsJson1_0/output/AwsJson10FooErrorUsingCodeUriAndNamespace",
        LENIENT,
    ),
    ("awsJson1_0/output/AwsJson10FooErrorUsingXAmznErrorType", LENIENT),
    (
        "awsJson1_0/output/AwsJson10FooErrorUsingXAmznErrorTypeWithUri",
        LENIENT,
    ),
    (
        "awsJson1_0/output/AwsJson10FooErrorUsingXAmznErrorTypeWithUriAndNamespace",
        LENIENT,
    ),
    ("awsJson1_0/output/AwsJson10HandlesUnexpectedJsonOutput", LENIENT),
    (
        "awsJson1_0/input/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_0",
        ZIP,
    ),
    ("awsJson1_0/input/SDKAppliedContentEncoding_awsJson1_0", ZIP),
    ("awsJson1_1/output/AwsJson11DateTimeWithNegativeOffset", OFFSET),
    ("awsJson1_1/output/AwsJson11DateTimeWithPositiveOffset", OFFSET),
    ("awsJson1_1/output/AwsJson11DeserializeIgnoreType", LENIENT),
    ("awsJson1_1/output/AwsJson11FooErrorUsingCode", LENIENT),
    (
        "awsJson1_1/output/AwsJson11FooErrorUsingCodeAndNamespace",
        LENIENT,
    ),
    (
        "awsJson1_1/output/AwsJson11FooErrorUsingCodeUriAndNamespace",
        LENIENT,
    ),
    ("awsJson1_1/output/AwsJson11FooErrorUsingXAmznErrorType", LENIENT),
    (
        "awsJson1_1/output/AwsJson11FooErrorUsingXAmznErrorTypeWithUri",
        LENIENT,
    ),
    (
        "awsJson1_1/output/AwsJson11FooErrorUsingXAmznErrorTypeWithUriAndNamespace",
        LENIENT,
    ),
    ("awsJson1_1/output/AwsJson11IntEnums", CONTRADICTION),
    (
        "awsJson1_1/output/AwsJson11StructuresDontDeserializeNullValues",
        LENIENT,
    ),
    ("awsJson1_1/input/LegacyInput6_1", FILLED),
    ("awsJson1_1/output/LegacyOutput3_1", CONTRADICTION),
    ("awsJson1_1/output/LegacyOutput5_0", LENIENT),
    ("awsJson1_1/output/LegacyOutput7_1", LENIENT),
    ("awsJson1_1/output/LegacyOutput7_2", CONTRADICTION),
    (
        "awsJson1_1/input/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsJson1_1",
        ZIP,
    ),
    ("awsJson1_1/input/SDKAppliedContentEncoding_awsJson1_1", ZIP),
    ("awsJson1_1/output/handles_unexpected_json_output", LENIENT),
    ("awsQuery/output/AwsQueryDateTimeWithNegativeOffset", OFFSET),
    ("awsQuery/output/AwsQueryDateTimeWithPositiveOffset", OFFSET),
    ("awsQuery/input/LegacyInput12_1", FILLED),
    ("awsQuery/output/LegacyOutput15_0", CONTRADICTION),
    ("awsQuery/input/QueryEmptyQueryMaps", OMITTED),
    ("awsQuery/input/QueryProtocolIdempotencyTokenAutoFill", FILLED),
    ("awsQuery/output/QueryXmlLists", ELEMENT_NAME),
    (
        "awsQuery/input/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_awsQuery",
        ZIP,
    ),
    ("awsQuery/input/SDKAppliedContentEncoding_awsQuery", ZIP),
    ("ec2Query/input/Ec2EmptyQueryLists", OMITTED),
    ("ec2Query/input/Ec2ProtocolIdempotencyTokenAutoFill", FILLED),
    ("ec2Query/output/Ec2QueryDateTimeWithNegativeOffset", OFFSET),
    ("ec2Query/output/Ec2QueryDateTimeWithPositiveOffset", OFFSET),
    ("ec2Query/output/Ec2XmlLists", ELEMENT_NAME),
    ("ec2Query/input/LegacyInput8_1", FILLED),
    (
        "ec2Query/input/SDKAppendsGzipAndIgnoresHttpProvidedEncoding_ec2Query",
        ZIP,
    ),
    ("ec2Query/input/SDKAppliedContentEncoding_ec2Query", ZIP),
    ("restJson1/input/LegacyInput13_1", ADDED),
    ("restJson1/input/LegacyInput19_1", FILLED),
    ("restJson1/input/LegacyInput25_2", ADDED),
    ("restJson1/input/LegacyInput25_4", ADDED),
    ("restJson1/input/LegacyInput25_7", ADDED),
    ("restJson1/input/LegacyInput26_1", OMITTED),
    ("restJson1/output/LegacyOutput13_1", LENIENT),
    ("restJson1/output/LegacyOutput13_2", LENIENT),
    ("restJson1/output/LegacyOutput13_3", CONTRADICTION),
    ("restJson1/output/LegacyOutput13_4", CONTRADICTION),
    ("restJson1/output/LegacyOutput13_5", CONTRADICTION),
    ("restJson1/output/LegacyOutput13_6", CONTRADICTION),
    ("restJson1/output/LegacyOutput17_2", LENIENT),
    ("restJson1/output/LegacyOutput7_0", LENIENT),
    ("restJson1/output/LegacyOutput8_0", LENIENT),
    ("restJson1/output/RestJsonDateTimeWithNegativeOffset", OFFSET),
    ("restJson1/output/RestJsonDateTimeWithPositiveOffset", OFFSET),
    ("restJson1/output/RestJsonDeserializeIgnoreType", LENIENT),
    (
        "restJson1/output/RestJsonDeserializesDenseSetMapAndSkipsNull",
        LENIENT,
    ),
    (
        "restJson1/output/RestJsonDoesntDeserializeNullStructureValues",
        LENIENT,
    ),
    ("restJson1/output/RestJsonFooErrorUsingCode", LENIENT),
    ("restJson1/output/RestJsonFooErrorUsingCodeAndNamespace", LENIENT),
    (
        "restJson1/output/RestJsonFooErrorUsingCodeUriAndNamespace",
        LENIENT,
    ),
    (
        "restJson1/output/RestJsonFooErrorUsingXAmznErrorTypeWithUri",
        LENIENT,
    ),
    (
        "restJson1/output/RestJsonFooErrorUsingXAmznErrorTypeWithUriAndNamespace",
        LENIENT,
    ),
    ("restJson1/input/RestJsonHttpPrefixHeadersAreNotPresent", OMITTED),
    ("restJson1/input/RestJsonHttpWithEmptyStructurePayload", ADDED),
    ("restJson1/input/RestJsonHttpWithHeadersButNoPayload", ADDED),
    ("restJson1/input/RestJsonOmitsEmptyListQueryValues", OMITTED),
    ("restJson1/input/RestJsonQueryIdempotencyTokenAutoFill", FILLED),
    ("restJson1/input/RestJsonQueryParamsStringListMap", WHOLE_QUERY),
    ("restJson1/input/RestJsonQueryPrecedence", WHOLE_QUERY),
    (
        "restJson1/input/SDKAppendedGzipAfterProvidedEncoding_restJson1",
        ZIP,
    ),
    ("restJson1/input/SDKAppliedContentEncoding_restJson1", ZIP),
    ("restXml/input/AllQueryStringTypes", WHOLE_QUERY),
    ("restXml/input/BodyWithXmlName", SHAPE_NAME),
    ("restXml/output/BodyWithXmlName", SHAPE_NAME),
    ("restXml/input/HttpPrefixHeadersAreNotPresent", OMITTED),
    ("restXml/input/LegacyInput23_1", FILLED),
    ("restXml/input/LegacyInput26_1", OMITTED),
    ("restXml/output/LegacyOutput15_1", CONTRADICTION),
    ("restXml/output/LegacyOutput15_2", CONTRADICTION),
    ("restXml/output/LegacyOutput16_2", LENIENT),
    ("restXml/input/QueryIdempotencyTokenAutoFill", FILLED),
    ("restXml/output/RestXmlDateTimeWithNegativeOffset", OFFSET),
    ("restXml/output/RestXmlDateTimeWithPositiveOffset", OFFSET),
    ("restXml/input/RestXmlQueryParamsStringListMap", WHOLE_QUERY),
    ("restXml/input/RestXmlQueryPrecedence", WHOLE_QUERY),
    ("restXml/input/RestXmlQueryStringEscaping", WHOLE_QUERY),
    (
        "restXml/input/RestXmlSupportsInfinityFloatQueryValues",
        WHOLE_QUERY,
    ),
    ("restXml/input/RestXmlSupportsNaNFloatQueryValues", WHOLE_QUERY),
    (
        "restXml/input/RestXmlSupportsNegativeInfinityFloatQueryValues",
        WHOLE_QUERY,
    ),
    ("restXml/input/RestXmlZeroAndFalseQueryValues", WHOLE_QUERY),
    ("restXml/input/SDKAppendedGzipAfterProvidedEncoding_restXml", ZIP),
    ("restXml/input/SDKAppliedContentEncoding_restXml", ZIP),
    ("restXml/output/XmlLists", ELEMENT_NAME),
    (
        "rpcv2Cbor/output/RpcV2CborDeserializesDenseSetMapAndSkipsNull",
        LENIENT,
    ),
];
