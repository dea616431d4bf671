//! Amazon Bedrock's exceptions.
//!
//! In: a status. Out: the usual message and the exception's name, as the service model of bedrock-runtime
//! (botocore, `service-2.json`, 2023-09-30) lists them with their statuses.

/// What the exception says that comes with a status unasked.
pub fn usual(status: u16) -> &'static str {
    match status {
        403 => "You don't have access to the model with the specified model ID.",
        404 => "Model use case details have not been submitted for this account.",
        408 => "The request took too long to process. Processing time exceeded the model timeout length.",
        424 => "The model returned an error while processing the request.",
        429 => "Too many requests, please wait before trying again.",
        500 => "The system encountered an unexpected error during processing. Try your request again.",
        503 => "Bedrock is unable to process your request.",
        _ => "The simulation was asked to fail.",
    }
}

/// The exception that comes with a status unasked.
pub fn exception(status: u16) -> &'static str {
    match status {
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        503 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}
