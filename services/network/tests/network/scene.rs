//! A cloud with an instance profile whose role trusts EC2, and a plane that does as it is told and notes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use identity::IdentityDirectory;
use parking_lot::Mutex;
use pipeline::gateway::Tables;
use pipeline::instances::{Attendant, Doing, Done, Failure, InstanceRef, Instances, Metadata, Outturn, Task};
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure as Refusal};
use serde_json::{Map, Value, json};
use wire::Timestamp;
use wire::model::{Kind, Service, ShapeId};

/// What the plane was asked for: the task's name, the instance's id, its run and what matters of the task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) task: &'static str,
    pub(crate) id: String,
    pub(crate) boot: u64,
    pub(crate) more: Value,
}

/// Does every task well, unless a failure is set.
#[derive(Default)]
pub(crate) struct Plane {
    pub(crate) asked: Mutex<Vec<Asked>>,
    pub(crate) failure: Mutex<Option<Failure>>,
    pub(crate) lacking: Mutex<Option<String>>,
    pub(crate) metadata: Mutex<BTreeMap<String, Metadata>>,
    pub(crate) forgotten: Mutex<Vec<String>>,
    /// The disk that instances end with.
    pub(crate) disk: Mutex<Bytes>,
}

impl Instances for Plane {
    fn lacks(&self) -> Option<String> {
        self.lacking.lock().clone()
    }

    fn perform<'a>(&'a self, task: &'a Task) -> Doing<'a, Outturn> {
        let (task_name, run, more) = match task {
            Task::Start(launch) => {
                let data = launch
                    .user_data
                    .as_ref()
                    .map(|data| data.expose_text().unwrap().to_owned());
                let disk = launch
                    .disk
                    .as_ref()
                    .map(|disk| String::from_utf8_lossy(disk).into_owned());
                self.metadata
                    .lock()
                    .insert(launch.instance.instance_id.clone(), launch.metadata.clone());
                let more = json!({
                    "vcpus": launch.vcpus, "memory": launch.memory_mib, "first": launch.first, "resume": launch.resume,
                    "data": data, "disk": disk,
                });
                ("start", &launch.instance, more)
            }
            Task::Stop { instance, force } => ("stop", instance, json!({ "force": force })),
            Task::Terminate { instance, force } => ("terminate", instance, json!({ "force": force })),
            Task::Reboot { instance } => ("reboot", instance, json!({})),
            Task::Snapshot { instance, still } => ("snapshot", instance, json!({ "still": still })),
        };
        self.asked.lock().push(Asked {
            task: task_name,
            id: run.instance_id.clone(),
            boot: run.boot,
            more,
        });
        let outturn = match self.failure.lock().clone() {
            Some(failure) => Err(failure),
            None => Ok(match task {
                Task::Stop { .. } | Task::Snapshot { .. } => Done::Disk(self.disk.lock().clone()),
                _ => Done::Well,
            }),
        };
        Box::pin(async move { outturn })
    }

    fn console(&self, _instance_id: &str) -> Option<(Bytes, Timestamp)> {
        Some((
            Bytes::from_static(b"it is up"),
            Timestamp::from_seconds(1_795_305_600),
        ))
    }

    fn update(&self, instance: &InstanceRef, metadata: Metadata) {
        self.metadata
            .lock()
            .insert(instance.instance_id.clone(), metadata);
    }

    fn forget(&self, instance_id: &str) {
        self.forgotten.lock().push(instance_id.to_owned());
    }

    fn attend(&self, _attendant: Arc<dyn Attendant>) {}
}

pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) root: Caller,
    pub(crate) plane: Arc<Plane>,
}

pub(crate) fn policy(statement: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

/// A type that the machine's own image runs on.
pub(crate) const TYPE: &str = if cfg!(target_arch = "aarch64") {
    "t4g.micro"
} else {
    "t3.micro"
};
pub(crate) const BUILT_IN: &str = network::ec2::image::BUILT_IN;

impl Scene {
    pub(crate) fn new() -> Self {
        let tables = Tables {
            operations: vec![
                identity::iam::OPERATIONS,
                identity::sts::OPERATIONS,
                identity::organizations::OPERATIONS,
                network::ec2::OPERATIONS,
            ],
            jobs: vec![identity::organizations::JOBS, network::ec2::JOBS],
            closures: vec![&network::ec2::CLOSURE],
            trails: vec![&identity::sts::TRAIL, &network::ec2::TRAIL],
            ..Tables::default()
        };
        let plane = Arc::new(Plane::default());
        let runner = Arc::clone(&plane) as Arc<dyn Instances>;
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables).with_instances(runner);
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        });
        assert!(made.is_ok());
        let root = cloud.root();
        let scene = Self { cloud, root, plane };
        scene.profile("web", "ec2.amazonaws.com");
        scene
    }

    /// An instance profile with a role of its name that trusts a service.
    pub(crate) fn profile(&self, name: &str, service: &str) {
        let trust = policy(&json!({
            "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
        }));
        let named = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust });
        self.iam("CreateRole", named);
        self.iam("CreateInstanceProfile", json!({ "InstanceProfileName": name }));
        let into = json!({ "InstanceProfileName": name, "RoleName": name });
        self.iam("AddRoleToInstanceProfile", into);
    }

    pub(crate) fn iam(&self, operation: &str, input: Value) -> Value {
        self.cloud
            .call(&self.root, "iam", operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    /// EC2 as somebody, with the model's names on both sides.
    pub(crate) fn call(&self, caller: &Caller, operation: &str, input: &Value) -> Result<Value, Refusal> {
        let model = api::models::service("ec2").unwrap();
        let shape = model.operation(operation).unwrap();
        let sent = shape
            .input
            .map_or(json!({}), |id| renamed(model, id, input, true));
        let answer = self.cloud.call(caller, "ec2", operation, sent)?;
        Ok(shape
            .output
            .map_or(json!({}), |id| renamed(model, id, &answer, false)))
    }

    /// EC2 as root, where success is expected.
    pub(crate) fn ok(&self, operation: &str, input: &Value) -> Value {
        self.call(&self.root, operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    /// The code and message of a refusal to root.
    pub(crate) fn refused(&self, operation: &str, input: &Value) -> (String, String) {
        self.refused_to(&self.root, operation, input)
    }

    pub(crate) fn refused_to(&self, caller: &Caller, operation: &str, input: &Value) -> (String, String) {
        let refusal = self.call(caller, operation, input).unwrap_err();
        (refusal.code, refusal.message)
    }

    /// Launches one instance, with these settings beside the usual ones, and runs what is due.
    pub(crate) fn launch(&self, more: &Value) -> String {
        let id = self.launching(more);
        self.cloud.advance(0);
        id
    }

    /// The same, before anything has come of it.
    pub(crate) fn launching(&self, more: &Value) -> String {
        let made = self.ok("RunInstances", &whole(more));
        made["Instances"][0]["InstanceId"].as_str().unwrap().to_owned()
    }

    /// An instance as lists show it.
    pub(crate) fn shown(&self, id: &str) -> Value {
        let shown = self.ok("DescribeInstances", &json!({ "InstanceIds": [id] }));
        shown["Reservations"][0]["Instances"][0].clone()
    }

    pub(crate) fn state(&self, id: &str) -> String {
        self.shown(id)["State"]["Name"].as_str().unwrap().to_owned()
    }

    /// What the plane was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.plane.asked.lock())
    }

    /// A user who may do what statements say.
    pub(crate) fn user(&self, name: &str, statements: &Value) -> Caller {
        self.iam("CreateUser", json!({ "UserName": name }));
        let document = policy(statements);
        let input = json!({ "UserName": name, "PolicyName": "own", "PolicyDocument": document });
        self.iam("PutUserPolicy", input);
        let made = self.iam("CreateAccessKey", json!({ "UserName": name }));
        let id = made["AccessKey"]["AccessKeyId"].as_str().unwrap();
        self.cloud.caller(id, None).unwrap()
    }
}

/// A launch of one instance.
pub(crate) fn whole(more: &Value) -> Value {
    let mut input = json!({ "ImageId": BUILT_IN, "InstanceType": TYPE, "MinCount": 1, "MaxCount": 1 });
    for (member, value) in more.as_object().unwrap() {
        input[member] = value.clone();
    }
    input
}

/// A value with the names of the wire in place of the model's, or the other way.
fn renamed(model: &'static Service, id: ShapeId, value: &Value, to_wire: bool) -> Value {
    match (&model.shape(id).unwrap().kind, value) {
        (Kind::Structure(structure), Value::Object(members)) => {
            let mut out = Map::new();
            for member in &structure.members {
                let wire = member.wire_name.unwrap_or(member.name);
                let (from, to) = if to_wire {
                    (member.name, wire)
                } else {
                    (wire, member.name)
                };
                if let Some(held) = members.get(from) {
                    out.insert(to.to_owned(), renamed(model, member.shape, held, to_wire));
                }
            }
            assert!(!to_wire || out.len() == members.len(), "unknown members: {value}");
            Value::Object(out)
        }
        (Kind::List { member, .. }, Value::Array(items)) => {
            let items = items
                .iter()
                .map(|item| renamed(model, member.shape, item, to_wire));
            Value::Array(items.collect())
        }
        _ => value.clone(),
    }
}
