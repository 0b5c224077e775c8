"""CloudWatch's metrics by boto3, the AWS CLI and older clients' ways, in all three protocols, and S3's metrics by the cloud's clock."""

import datetime
import gzip
import json
import unittest
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from server import REGION, Judge, Refused, policy, statement, wait_for

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
SPACE = "{http://monitoring.amazonaws.com/doc/2010-08-01/}"


class Signed:
    """Requests of clients that speak CloudWatch's older protocols, signed by botocore."""

    def __init__(self, server, credentials=None):
        self.server, self.credentials = server, credentials or server.root

    def send(self, body, headers, signed=True):
        """The status, the headers and the body of the answer."""
        request = botocore.awsrequest.AWSRequest("POST", self.server.endpoint + "/", data=body, headers=headers)
        if signed:
            keys = botocore.credentials.Credentials(self.credentials.key, self.credentials.secret)
            botocore.auth.SigV4Auth(keys, "monitoring", REGION).add_auth(request)
        prepared = request.prepare()
        sent = urllib.request.Request(prepared.url, data=prepared.body, headers=dict(prepared.headers), method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(sent, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.headers, refused.read()

    def query(self, action, compressed=False, **parameters):
        """The query protocol: a form and XML."""
        names = {name.replace("__", "."): value for name, value in parameters.items()}
        body = urllib.parse.urlencode({"Action": action, "Version": "2010-08-01", **names}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        if compressed:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        status, _, answer = self.send(body, headers)
        return status, ET.fromstring(answer)

    def json(self, action, **parameters):
        """awsJson1.0."""
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"GraniteServiceVersion20100801.{action}"}
        status, _, answer = self.send(json.dumps(parameters).encode(), headers)
        return status, json.loads(answer or b"{}")


class Metrics(Judge):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cloudwatch = cls.server.client("cloudwatch")
        cls.now = datetime.datetime.now(UTC).replace(second=0, microsecond=0)

    def span(self, minutes=10):
        return {"StartTime": self.now - minutes * MINUTE, "EndTime": self.now + MINUTE}

    def test_three_protocols_tell_the_same(self):
        """What is put in each protocol is told alike in each."""
        signed, at = Signed(self.server), self.now - 5 * MINUTE
        host = [{"Name": "Host", "Value": "a"}]
        self.cloudwatch.put_metric_data(
            Namespace="three", MetricData=[{"MetricName": "m", "Dimensions": host, "Value": 1.0, "Unit": "Count", "Timestamp": at}]
        )
        datum = {"MetricName": "m", "Dimensions": host, "Value": 2.0, "Unit": "Count", "Timestamp": at.timestamp()}
        status, answer = signed.json("PutMetricData", Namespace="three", MetricData=[datum])
        self.assertEqual((status, answer), (200, {}))
        form = {
            "MetricData__member__1__MetricName": "m", "MetricData__member__1__Value": "4", "MetricData__member__1__Unit": "Count",
            "MetricData__member__1__Dimensions__member__1__Name": "Host", "MetricData__member__1__Dimensions__member__1__Value": "a",
            "MetricData__member__1__Timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        status, answer = signed.query("PutMetricData", Namespace="three", **form)
        self.assertEqual((status, answer.tag), (200, f"{SPACE}PutMetricDataResponse"))
        status, _ = signed.query("PutMetricData", compressed=True, Namespace="three", **form)
        self.assertEqual(status, 200)

        found = self.cloudwatch.get_metric_statistics(
            Namespace="three", MetricName="m", Dimensions=host, Period=60, Statistics=["Sum", "SampleCount"], **self.span()
        )
        self.assertEqual([(p["Timestamp"], p["Sum"], p["SampleCount"], p["Unit"]) for p in found["Datapoints"]], [(at, 11.0, 4.0, "Count")])
        start, end = (self.span()[name] for name in ("StartTime", "EndTime"))
        _, found = signed.json(
            "GetMetricStatistics", Namespace="three", MetricName="m", Dimensions=host, Period=60, Statistics=["Sum"],
            StartTime=start.timestamp(), EndTime=end.timestamp(),
        )
        self.assertEqual([(p["Timestamp"], p["Sum"]) for p in found["Datapoints"]], [(at.timestamp(), 11.0)])
        _, found = signed.query(
            "GetMetricStatistics", Namespace="three", MetricName="m", Period="60", Statistics__member__1="Sum",
            Dimensions__member__1__Name="Host", Dimensions__member__1__Value="a",
            StartTime=start.strftime("%Y-%m-%dT%H:%M:%SZ"), EndTime=end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        points = found.findall(f".//{SPACE}Datapoints/{SPACE}member")
        told = [(p.findtext(f"{SPACE}Timestamp"), float(p.findtext(f"{SPACE}Sum"))) for p in points]
        self.assertEqual(told, [(at.strftime("%Y-%m-%dT%H:%M:%SZ"), 11.0)])

        # Refusals too, by the code that each protocol has.
        reserved = {"Namespace": "AWS/S3", "MetricData": [{"MetricName": "m", "Value": 1.0}]}
        answer = self.refused("InvalidParameterValue", self.cloudwatch.put_metric_data, status=400, **reserved)
        status, told = signed.json("PutMetricData", **reserved)
        self.assertEqual((status, told["__type"].rsplit("#")[-1]), (400, "InvalidParameterValueException"))
        form = {"MetricData__member__1__MetricName": "m", "MetricData__member__1__Value": "1"}
        status, told = signed.query("PutMetricData", Namespace="AWS/S3", **form)
        self.assertEqual((status, told.findtext(f".//{SPACE}Code")), (400, "InvalidParameterValue"))
        self.assertEqual(told.findtext(f".//{SPACE}Message"), answer["Error"]["Message"])

    def test_large_requests_come_compressed(self):
        """An SDK compresses what is large by itself."""
        client = self.server.client("cloudwatch", request_min_compression_size_bytes=100)
        seen = []
        client.meta.events.register("before-send.cloudwatch.PutMetricData", lambda request, **_: seen.append(request.headers.get("Content-Encoding")))
        data = [{"MetricName": f"m{number}", "Values": [1.0, 2.0], "Counts": [3.0, 1.0]} for number in range(300)]
        client.put_metric_data(Namespace="large", MetricData=data)
        self.assertEqual([str(one, "ascii") if isinstance(one, bytes) else one for one in seen], ["gzip"])
        pages = list(client.get_paginator("list_metrics").paginate(Namespace="large"))
        self.assertEqual(len({metric["MetricName"] for page in pages for metric in page["Metrics"]}), 300)
        data = [{"MetricName": f"n{number}", "Value": 1.0} for number in range(700)]
        client.put_metric_data(Namespace="large", MetricData=data)
        pages = list(client.get_paginator("list_metrics").paginate(Namespace="large"))
        self.assertEqual([len(page["Metrics"]) for page in pages], [500, 500])

    def test_the_cli_puts_gets_and_lists(self):
        aws = self.server.aws
        aws("cloudwatch", "put-metric-data", "--namespace", "cli", "--metric-name", "load", "--value", "2.5", "--dimensions", "Host=a,Kind=b")
        values = json.dumps([{"MetricName": "load", "Values": [1, 2, 3, 100], "Counts": [1, 1, 1, 1], "Unit": "Milliseconds"}])
        aws("cloudwatch", "put-metric-data", "--namespace", "cli", "--metric-data", values)
        listed = aws("cloudwatch", "list-metrics", "--namespace", "cli", "--dimensions", "Name=Host,Value=a")["Metrics"]
        self.assertEqual([(one["MetricName"], len(one["Dimensions"])) for one in listed], [("load", 2)])
        start, end = (self.span()[name].strftime("%Y-%m-%dT%H:%M:%SZ") for name in ("StartTime", "EndTime"))
        end = (datetime.datetime.now(UTC) + MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
        got = aws(
            "cloudwatch", "get-metric-statistics", "--namespace", "cli", "--metric-name", "load", "--start-time", start, "--end-time", end,
            "--period", "3600", "--extended-statistics", "p50", "tm75", "PR(:3)",
        )
        extended = [point["ExtendedStatistics"] for point in got["Datapoints"]]
        self.assertEqual(extended, [{"p50": 2.0, "tm75": 2.0, "PR(:3)": 75.0}])
        query = json.dumps([
            {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "cli", "MetricName": "load"}, "Period": 3600, "Stat": "Sum"}, "ReturnData": False},
            {"Id": "e1", "Expression": "m1 / 2", "Label": "half: ${MAX}"},
        ])
        got = aws("cloudwatch", "get-metric-data", "--metric-data-queries", query, "--start-time", start, "--end-time", end)
        told = [(one["Id"], one["Label"], one["Values"]) for one in got["MetricDataResults"]]
        self.assertEqual(told, [("e1", "half: 53", [53.0])])
        with self.assertRaises(Refused) as refused:
            aws("cloudwatch", "put-metric-data", "--namespace", "cli", "--metric-name", "load", "--value", "NaN")
        self.assertIn("InvalidParameterValue", refused.exception.words)

    def test_nobody_comes_in_without_leave(self):
        """S13.16, S13.18: a request is signed, and a user may do what IAM grants and nothing else."""
        mine = self.user(
            "metrics", statement("cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": "mine"}})
        )
        client = self.server.client("cloudwatch", mine)
        data = {"MetricData": [{"MetricName": "m", "Value": 1.0}]}
        client.put_metric_data(Namespace="mine", **data)
        self.refused("AccessDenied", client.put_metric_data, Namespace="theirs", **data)
        self.refused("AccessDenied", client.list_metrics)
        nobody = self.server.client("cloudwatch", self.user("nobody"))
        self.refused("AccessDenied", nobody.list_metrics)
        iam = self.server.client("iam")
        allowed = policy(statement("cloudwatch:ListMetrics"))
        iam.put_user_policy(UserName="nobody", PolicyName="own", PolicyDocument=allowed)
        self.assertIn("mine", {metric["Namespace"] for metric in nobody.list_metrics(Namespace="mine")["Metrics"]})
        # A signature by another secret, and none at all.
        forged = type(mine)(mine.key, "x" * 40)
        forged = self.server.client("cloudwatch", forged)
        self.refused("SignatureDoesNotMatch", forged.put_metric_data, Namespace="mine", **data)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _, answer = Signed(self.server).send(b"Action=ListMetrics&Version=2010-08-01", headers, signed=False)
        self.assertEqual(status, 403)
        self.assertIn(b"MissingAuthenticationToken", answer)
        # What is done with metrics are data events, which the event history does not show.
        self.assertEqual(self.events("ListMetrics") + self.events("PutMetricData"), [])

    def test_it_is_spoken_over_tls(self):
        """The same over HTTPS, with the installation's own certificate."""
        client = self.server.client("cloudwatch", endpoint=self.server.https, verify=self.server.authority)
        client.put_metric_data(Namespace="tls", MetricData=[{"MetricName": "m", "Value": 1.0}])
        self.assertEqual(len(client.list_metrics(Namespace="tls")["Metrics"]), 1)


class Kept(Judge):
    def test_what_was_answered_outlives_a_kill(self):
        client = self.server.client("cloudwatch")
        client.put_metric_data(Namespace="kept", MetricData=[{"MetricName": "m", "Value": 7.0}])
        self.server.kill()
        self.server.start()
        client, now = self.server.client("cloudwatch"), datetime.datetime.now(UTC)
        found = client.get_metric_statistics(
            Namespace="kept", MetricName="m", StartTime=now - 10 * MINUTE, EndTime=now + MINUTE, Period=60, Statistics=["Sum"]
        )
        self.assertEqual([point["Sum"] for point in found["Datapoints"]], [7.0])


class OfS3(Judge):
    OPTIONS = ("--clock-control",)

    def told(self, name, stat="Sum", **dimensions):
        """A statistic of a metric of S3 since yesterday."""
        now = datetime.datetime.fromisoformat(self.server.ringwork("clock").split()[0])
        found = self.server.client("cloudwatch").get_metric_data(
            StartTime=now - 2000 * MINUTE, EndTime=now + 60 * MINUTE,
            MetricDataQueries=[{"Id": "m", "MetricStat": {"Period": 2060 * 60, "Stat": stat, "Metric": {
                "Namespace": "AWS/S3", "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            }}}],
        )
        return found["MetricDataResults"][0]["Values"]

    def test_requests_are_counted(self):
        """Requests to a bucket show in CloudWatch once their minute is over, refused ones too."""
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="counted")
        s3.put_bucket_metrics_configuration(Bucket="counted", Id="all", MetricsConfiguration={"Id": "all"})
        part = {"Id": "logs", "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "class", "Value": "blue"}]}}}
        s3.put_bucket_metrics_configuration(Bucket="counted", Id="logs", MetricsConfiguration=part)
        self.assertEqual(s3.get_bucket_metrics_configuration(Bucket="counted", Id="logs")["MetricsConfiguration"], part)
        listed = s3.list_bucket_metrics_configurations(Bucket="counted")["MetricsConfigurationList"]
        self.assertEqual([one["Id"] for one in listed], ["all", "logs"])
        body = b"x" * 200_000
        s3.put_object(Bucket="counted", Key="logs/a", Body=body, Tagging="class=blue")
        s3.put_object(Bucket="counted", Key="b", Body=b"123")
        self.assertEqual(s3.get_object(Bucket="counted", Key="logs/a")["Body"].read(), body)
        s3.head_object(Bucket="counted", Key="b")
        s3.list_objects_v2(Bucket="counted")
        self.refused("NoSuchKey", s3.get_object, Bucket="counted", Key="missing")
        stranger = self.server.client("s3", self.user("stranger"))
        self.refused("AccessDenied", stranger.get_object, Bucket="counted", Key="b")
        s3.delete_objects(Bucket="counted", Delete={"Objects": [{"Key": "b"}]})
        self.server.ringwork("clock", "advance", "2m")
        whole, some = {"BucketName": "counted", "FilterId": "all"}, {"BucketName": "counted", "FilterId": "logs"}
        # The answer's last bytes are measured once they are gone, which the client does not wait for.
        wait_for(lambda: self.server.ringwork("clock", "advance", "1m") and self.told("BytesDownloaded", "Maximum", **some) == [200_000.0])
        for name, expected in [
            ("GetRequests", 3), ("PutRequests", 2), ("HeadRequests", 1), ("ListRequests", 1), ("DeleteRequests", 1), ("4xxErrors", 2), ("5xxErrors", 0),
        ]:
            self.assertEqual(self.told(name, **whole), [expected], name)
        self.assertEqual(self.told("AllRequests", **some), [2.0])
        self.assertEqual(self.told("PostRequests", **whole), [])
        self.assertGreaterEqual(self.told("BytesUploaded", **whole)[0], 200_003)
        self.assertEqual(len(self.told("TotalRequestLatency", "p99", **whole)), 1)
        s3.delete_bucket_metrics_configuration(Bucket="counted", Id="logs")
        self.refused("NoSuchConfiguration", s3.get_bucket_metrics_configuration, Bucket="counted", Id="logs")

    def test_what_is_measured_survives_a_stop(self):
        """What was not handed over yet is kept when the server is asked to stop."""
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="stopped")
        s3.put_bucket_metrics_configuration(Bucket="stopped", Id="all", MetricsConfiguration={"Id": "all"})
        s3.put_object(Bucket="stopped", Key="a", Body=b"1")
        self.server.stop()
        self.server.start()
        self.assertEqual(self.told("PutRequests", BucketName="stopped", FilterId="all"), [1.0])

    def test_what_buckets_hold_is_told_daily(self):
        s3 = self.server.client("s3")
        s3.create_bucket(Bucket="held")
        s3.put_object(Bucket="held", Key="a", Body=b"12345")
        s3.put_object(Bucket="held", Key="b", Body=b"12", StorageClass="STANDARD_IA")
        self.server.ringwork("clock", "advance", "1d")
        self.assertEqual(self.told("NumberOfObjects", "Average", BucketName="held", StorageType="AllStorageTypes"), [2.0])
        self.assertEqual(self.told("BucketSizeBytes", "Average", BucketName="held", StorageType="StandardStorage"), [5.0])
        self.assertEqual(self.told("BucketSizeBytes", "Average", BucketName="held", StorageType="StandardIAStorage"), [2.0])


if __name__ == "__main__":
    unittest.main()
