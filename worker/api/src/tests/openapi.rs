//! The document of the API against the API: every route is in it, and answers as it says; what it does not
//! allow is refused as it says.
use super::{Served, TOKEN, raw, sent};
use crate::{OPENAPI, UnitOutput};
use dugnad_client::BlobHash;
use serde_json::{Map, Value, json};

fn document() -> Value {
    serde_json::from_str(OPENAPI).expect("JSON")
}

/// Every operation: its path, its method in capitals, and what is said of it.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let of = |(path, methods): (&String, &Value)| {
        let methods: &Map<String, Value> = methods.as_object().expect("methods");
        let path = path.clone();
        let each = methods.iter();
        each.map(move |(method, said)| (path.clone(), method.to_uppercase(), said.clone()))
            .collect::<Vec<_>>()
    };
    paths.flat_map(of).collect()
}

/// What of `value` does not fit `schema`, in words; nothing if all does.
fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if let Some(named) = schema["$ref"].as_str() {
        let schema = document.pointer(named.trim_start_matches('#')).expect(named);
        return misfit(document, schema, value);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|one| misfit(document, one, value).is_none());
        return (!fits).then(|| format!("{value} is none of {any:?}"));
    }
    let right = match schema["type"].as_str() {
        Some("object") => return misfit_object(document, schema, value),
        Some("array") => {
            let Some(items) = value.as_array() else { return Some(format!("{value} is no list")) };
            return items.iter().find_map(|item| misfit(document, &schema["items"], item));
        }
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        Some(_) | None => true,
    };
    let listed = schema["enum"].as_array().is_none_or(|all| all.contains(value));
    (!right || !listed).then(|| format!("{value} is not {schema}"))
}

fn misfit_object(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Some(object) = value.as_object() else { return Some(format!("{value} is no object")) };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(absent) = required.into_iter().find(|name| !object.contains_key(*name)) {
        return Some(format!("no {absent} in {value}"));
    }
    object.iter().find_map(|(name, member)| match schema["properties"].get(name) {
        Some(said) => misfit(document, said, member),
        None if schema["additionalProperties"] == false => Some(format!("{name} is not said")),
        None => None,
    })
}

/// Fails unless this is an answer that the operation may give.
fn assert_said(document: &Value, said: &Value, place: &str, (status, body): &(u16, String)) {
    let Some(answer) = said["responses"].get(status.to_string()) else {
        panic!("{place} answers {status}, which is not said: {body}");
    };
    if let Some(schema) = answer.pointer("/content/application~1json/schema") {
        let value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{place}: {error}: {body}"));
        assert_eq!(misfit(document, schema, &value), None, "{place}: {body}");
    }
}

fn request(module: BlobHash) -> Value {
    json!({ "name": "said", "module": module, "units": { "count": 3 }, "seed": 1, "args": ["a"],
        "env": { "A": "b" }, "limits": { "fuel": 7 }, "profile": "quorum=3", "priority": 2,
        "about": { "description": "d", "tags": ["t"], "licence": "l", "contact": "c" } })
}

#[test]
fn every_route_is_in_the_document() {
    let source = include_str!("../lib.rs");
    let routed = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut routed: Vec<&str> = routed.collect();
    routed.sort_unstable();
    routed.dedup();
    let document = document();
    let mut said: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    said.sort_unstable();
    assert_eq!(routed, said);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_answers_as_the_document_says() {
    let (served, document) = (Served::start().await, document());
    let job = served.node.add_job(7, 2);
    served.node.decide(job, 0, UnitOutput::Verified("output".into()));
    served.node.decide(job, 1, UnitOutput::Failed("it broke".into()));
    let blob = served.grid().await.upload(&b"module"[..]).await.unwrap();
    let fill = |path: &str, job: &str, blob: &str, unit: &str| {
        path.replace("{job}", job).replace("{blob}", blob).replace("{unit}", unit)
    };
    let (job, blob_name, nobody) = (job.to_string(), blob.to_string(), "0".repeat(64));
    for (path, method, said) in operations(&document) {
        let body = match path.as_str() {
            "/v1/jobs" => serde_json::to_vec(&request(blob)).unwrap(),
            "/v1/blobs/batch" => [&3_u32.to_le_bytes()[..], b"abc"].concat(),
            _ => b"bytes".to_vec(),
        };
        let body = if method == "POST" { body } else { Vec::new() };
        let right = fill(&path, &job, &blob_name, "0");
        let wrong = [
            fill(&path, &nobody, &nobody, "0"),
            fill(&path, "x", "x", "x"),
            fill(&path, &job, &blob_name, "4294967296"),
        ];
        for (place, good) in
            [(&right, true)].into_iter().chain(wrong.iter().map(|one| (one, false)))
        {
            let line = format!("{method} {place}");
            // What another line has stopped is no error of this one.
            let answer = sent(&served, &line, &body).await;
            assert_said(&document, &said, &line, &answer);
            // This node has no peers, and says so.
            assert!(!good || answer.0 == 200 || path == "/readyz", "{line}: {answer:?}");
        }
        let open = said["security"] == json!([]);
        let head = format!("{method} {right} HTTP/1.1\nHost: localhost\nContent-Length: 0\n");
        let answer = raw(&served, &head, b"").await;
        assert_eq!(answer.0 == 401, !open, "{method} {right} without the token: {answer:?}");
        let page = "Origin: https://page.example\n";
        let head = format!("{head}Authorization: Bearer {TOKEN}\n{page}");
        assert_said(&document, &said, &right, &raw(&served, &head, b"").await);
        assert_eq!(raw(&served, &head, b"").await.0, 403, "{right} from a page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_of_a_job_request_takes_what_the_document_forbids() {
    let (served, document) = (Served::start().await, document());
    let blob = served.grid().await.upload(&b"module"[..]).await.unwrap();
    let schema = &document["components"]["schemas"]["JobRequest"];
    assert_eq!(misfit(&document, schema, &request(blob)), None);
    let said = &document["paths"]["/v1/jobs"]["post"];
    let fields = schema["properties"].as_object().expect("fields").keys();
    let mut refused = 0;
    for field in fields.map(String::as_str).chain(["no_such_field"]) {
        for wrong in [json!(-1), json!("\u{1}"), json!([[]]), json!({ "x": {} }), json!(1.5)] {
            let mut body = request(blob);
            body[field] = wrong;
            let body = serde_json::to_vec(&body).unwrap();
            let answer = sent(&served, "POST /v1/jobs", &body).await;
            assert_said(&document, said, field, &answer);
            refused += u32::from(answer.0 == 400);
        }
        let mut without = request(blob);
        without.as_object_mut().expect("an object").remove(field);
        let body = serde_json::to_vec(&without).unwrap();
        let required = schema["required"].as_array().expect("a list").contains(&field.into());
        let answer = sent(&served, "POST /v1/jobs", &body).await;
        assert_eq!(answer.0 == 400, required, "without {field}: {answer:?}");
    }
    assert!(refused > 80, "only {refused} were refused");
}
